package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * A developer's day with the published {@code aiel} command, unchanged, against the packaged server. Each test has a workspace
 * with one project of its own, because the command asks at a terminal when there are several.
 *
 * <p>Meant to fail: with a commit that answers 409 to bytes that are current already, the repeated push; with the quiet time as
 * the only trigger of a snapshot, the ten pushes.
 */
@ExtendWith(SharedPlane.class)
class PublishedCliTest {
    private static final String CODE = """
            from aiel_sdk import tool

            @tool("answer")
            def answer(ctx, payload):
                return {"value": %s}
            """;

    @TempDir
    Path scratch;

    private Project project;
    private PublishedClients.User user;
    private Path work;
    private String slug;

    @BeforeEach
    void logIn(PackagedPlane plane, PublishedClients clients) throws IOException {
        slug = "cli-" + UUID.randomUUID().toString().substring(0, 8);
        project = plane.newWorkspaceWithProject(slug);
        work = Files.createDirectory(scratch.resolve("work"));
        user = clients.user(Files.createDirectory(scratch.resolve("home")));
        user.nameThePlane(plane.uri().toString());
        aiel("auth", "login", "--token", plane.client().token());
        aiel("config", "set", "workspace", slug);
        aiel("init");
    }

    private String aiel(String... arguments) {
        return user.aiel(work, arguments).orFail();
    }

    private void write(String path, String text) throws IOException {
        Path file = work.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void push(String message) {
        aiel("add", ".");
        aiel("commit", "-m", message);
        aiel("push");
    }

    private Map<String, JsonNode> remote() {
        JsonNode files =
                project.client().get(project.path() + "/files").expect(200).path("files");
        Map<String, JsonNode> byPath = new java.util.TreeMap<>();
        files.forEach(file -> byPath.put(file.path("path").asText(), file));
        return byPath;
    }

    @Test
    void logsInAndSaysWho() {
        assertThat(aiel("auth", "status")).contains("Authenticated");
        assertThat(aiel("info", "workspaces")).contains(slug);
    }

    @Test
    void refusesAWrongToken(PackagedPlane plane) {
        Command.Result login = user.aiel(work, "auth", "login", "--token", "aielp_dev_" + "0".repeat(36));

        assertThat(login.exit()).isNotZero();
        assertThat(login.out() + login.err()).contains("401");
    }

    @Test
    void pushesPullsAndDeletes() throws IOException {
        write("entry_point.py", CODE.formatted("1"));
        write("lib/zürich/helper.py", "NAME = 'grüezi'\n");
        write("data/empty.txt", "");
        assertThat(aiel("status")).contains("entry_point.py");
        push("first");

        assertThat(remote()).containsKeys("entry_point.py", "lib/zürich/helper.py", "data/empty.txt");
        assertThat(aiel("files", "ls")).contains("entry_point.py");

        Path elsewhere = Files.createDirectory(scratch.resolve("elsewhere"));
        user.aiel(elsewhere, "init").orFail();
        Files.delete(elsewhere.resolve("entry_point.py"));
        user.aiel(elsewhere, "pull").orFail();
        assertThat(elsewhere.resolve("lib/zürich/helper.py")).hasContent("NAME = 'grüezi'\n");
        assertThat(elsewhere.resolve("data/empty.txt")).isEmptyFile();

        Files.delete(work.resolve("data/empty.txt"));
        push("remove a file");
        assertThat(remote()).doesNotContainKey("data/empty.txt").containsKey("entry_point.py");
    }

    @Test
    void runsThePushedCodeAtOnce() throws IOException {
        for (int round = 1; round <= 10; round++) {
            write("entry_point.py", CODE.formatted(Integer.toString(round)));
            push("round " + round);

            JsonNode answer = project.tool("answer", Map.of()).expect(200);

            assertThat(answer.at("/result/value").asInt())
                    .as("after push %d", round)
                    .isEqualTo(round);
        }
    }

    /** The command keeps its staging area until the end of a push, so a push that broke sends the same versions again. */
    @Test
    void repeatsAPushThatBroke() throws IOException {
        write("entry_point.py", CODE.formatted("1"));
        aiel("add", ".");
        aiel("commit", "-m", "first");
        Path index = work.resolve(".aiel/index.json");
        Path kept = Files.copy(index, scratch.resolve("index.json"));
        aiel("push");
        Map<String, JsonNode> before = remote();
        Files.copy(kept, index, StandardCopyOption.REPLACE_EXISTING);

        aiel("push");

        assertThat(remote()).isEqualTo(before);
    }

    @Test
    void refusesAPushOverSomebodyElsesChange() throws IOException {
        write("entry_point.py", CODE.formatted("1"));
        push("mine");
        project.push(Map.of("entry_point.py", CODE.formatted("2"), ".aielignore", ".aiel/\n"));
        write("entry_point.py", CODE.formatted("3"));
        aiel("add", ".");
        aiel("commit", "-m", "stale");

        Command.Result push = user.aiel(work, "push");

        assertThat(push.exit()).isNotZero();
        assertThat(push.out() + push.err()).contains("409");
        assertThat(project.tool("answer", Map.of())
                        .expect(200)
                        .at("/result/value")
                        .asInt())
                .isEqualTo(2);
    }

    @Test
    void checksOutAnotherWorkspace(PackagedPlane plane) throws IOException {
        write("entry_point.py", CODE.formatted("1"));
        push("here");
        String other = slug + "-b";
        Project there = plane.newWorkspaceWithProject(other);
        there.push(Map.of("entry_point.py", CODE.formatted("2")));

        aiel("checkout", "workspace", other);
        aiel("pull");

        assertThat(work.resolve("entry_point.py")).content().contains("\"value\": 2");
    }

    @Test
    void keepsTheLastGoodCodeWhenAPushIsRejected() throws IOException {
        write("entry_point.py", CODE.formatted("1"));
        push("good");
        assertThat(project.tool("answer", Map.of()).status()).isEqualTo(200);
        write("entry_point.py", "from aiel_sdk import tool\n\nthis is not python\n");
        push("bad");

        JsonNode answer = project.tool("answer", Map.of()).expect(200);

        assertThat(answer.at("/result/value").asInt()).isEqualTo(1);
        JsonNode newest = project.client()
                .get(project.path() + "/snapshots")
                .expect(200)
                .path("items")
                .path(0);
        assertThat(newest.path("status").asText()).isEqualTo("rejected");
        JsonNode finding = newest.path("findings").path(0);
        assertThat(finding.path("file").asText()).isEqualTo("entry_point.py");
        assertThat(finding.path("line").asInt()).isEqualTo(3);
    }
}
