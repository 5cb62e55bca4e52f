package io.aiel.plane.docs;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.GrpcClient;
import io.aiel.plane.fixtures.Grpcurl;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs what the pages tell a reader to run. The samples of one page that are marked {@code sh run} are one script, so that later
 * ones build on earlier ones; the fence of what they print is not compared. A sample that is marked {@code to} with a file is written there on the
 * way, and those that are marked {@code python push} are the code of the page's project, in place of {@code samples/hello}.
 *
 * <p>What starts or installs all of it ({@code ./plane up}, {@code ./plane test}, {@code pip install}) cannot be run here, as this runs in it; it is
 * listed in {@link DocumentationTest} with who does it instead. The page for beginners finds a folder in which the server seems to be new.
 */
@ExtendWith(SharedPlane.class)
class RunningDocumentationTest {
    private static final Path OPENAPI = PackagedPlane.repository().resolve("docs/reference/openapi.yaml");
    private static final Path SAMPLE = PackagedPlane.repository().resolve("samples/hello/entry_point.py");
    private static final Path README = PackagedPlane.repository().resolve("README.md");
    private static final Path START = PackagedPlane.repository().resolve("docs/start.md");
    private static final String ADDRESS = "http://127.0.0.1:8080";
    private static final Duration PAGE_LIMIT = Duration.ofMinutes(5);
    private static final Duration START_LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path scratch;

    @TestFactory
    Stream<DynamicTest> runsItsSamples(PackagedPlane plane, PublishedClients clients) {
        List<Path> pages =
                Pages.all().stream().filter(page -> !script(page).isEmpty()).toList();
        assertThat(pages).as("pages with samples that are executed").isNotEmpty();
        return pages.stream()
                .map(page -> DynamicTest.dynamicTest(
                        PackagedPlane.repository().relativize(page).toString(), () -> run(plane, clients, page)));
    }

    private void run(PackagedPlane plane, PublishedClients clients, Path page) throws IOException {
        PublishedClients.User reader = clients.user(Files.createTempDirectory(scratch, "home"));
        boolean begins = page.equals(START);
        Project project = begins ? ofANewTenant(plane) : plane.newProject("documentation-" + unique());
        if (!begins) {
            project.push(Map.of("entry_point.py", code(page)));
        }
        Path folder = begins
                ? folderAfterTheStart(plane, project.client().token(), clients, reader.home())
                : PackagedPlane.repository();
        Command command = Command.of(
                        "bash",
                        "-eu",
                        "-o",
                        "pipefail",
                        "-c",
                        script(page).replace(ADDRESS, plane.uri().toString()))
                .in(folder)
                .inACleanEnvironment()
                .within(PAGE_LIMIT);
        for (Map.Entry<String, String> variable : reader.shell().entrySet()) {
            command = command.with(variable.getKey(), variable.getValue());
        }
        if (script(page).contains("grpc_tools")) {
            // The reader has installed what the page says.
            command = command.with(
                    "PATH",
                    Path.of(GrpcClient.install().python()).getParent() + ":" + Grpcurl.folderOrSkip() + ":"
                            + reader.shell().get("PATH"));
        }
        String python = System.getenv("PLANE_PYTHON");
        if (python != null) {
            // The client of ./plane demo is installed for one interpreter, which has to be the server's.
            command = command.with("PLANE_PYTHON", python);
        }
        command.with("PLANE_URL", plane.uri().toString())
                .with("PLANE_GRPC", plane.grpc())
                .with("PLANE_TOKEN", project.client().token())
                .with("WORKSPACE", project.workspace())
                .with("PROJECT", project.id())
                .with("PLANE_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .orFail();
    }

    private static String script(Path page) {
        StringBuilder script = new StringBuilder();
        Pages.samples(page).forEach(sample -> script.append(sample.script()));
        return script.toString();
    }

    private static String code(Path page) throws IOException {
        String own = Pages.samples(page).stream()
                .filter(Pages.Sample::isPushed)
                .map(Pages.Sample::text)
                .collect(Collectors.joining("\n\n"));
        return own.isEmpty() ? Files.readString(SAMPLE) : own;
    }

    private static String unique() {
        return Long.toHexString(System.nanoTime());
    }

    /** {@code demo/hello} without any file, as a server has it that was just started. */
    private static Project ofANewTenant(PackagedPlane plane) {
        PlaneClient client = plane.client()
                .as(plane.client()
                        .post(
                                "/v1/tenants",
                                Map.of(
                                        "slug",
                                        "documentation-" + unique(),
                                        "admin",
                                        Map.of("email", "reader@documentation.invalid")))
                        .expect(201)
                        .at("/admin/token")
                        .asText());
        String workspace = client.post("/v1/workspaces", Map.of("slug", "demo"))
                .expect(201)
                .path("id")
                .asText();
        String project = client.post("/v1/workspaces/" + workspace + "/projects", Map.of("slug", "hello"))
                .expect(201)
                .path("id")
                .asText();
        return new Project(client, workspace, project);
    }

    /** {@code ./plane} and {@code .plane} as they are beside each other after {@code ./plane up}; and the published client in {@code ~/aiel}. */
    private Path folderAfterTheStart(PackagedPlane plane, String token, PublishedClients clients, Path home)
            throws IOException {
        Path folder = Files.createTempDirectory(scratch, "clone");
        Path data = Files.createDirectory(folder.resolve(".plane"));
        Files.writeString(data.resolve("dev-token"), token);
        Files.copy(plane.dataDirectory().resolve("running.json"), data.resolve("running.json"));
        Files.createSymbolicLink(data.resolve("bundles"), plane.dataDirectory().resolve("bundles"));
        Path program = Files.writeString(
                folder.resolve("plane"),
                "#!/bin/sh\nexec '%s' \"$@\" --data '%s'\n"
                        .formatted(PackagedPlane.repository().resolve("plane"), data));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Path bin = Files.createDirectories(home.resolve("aiel/bin"));
        Files.createSymbolicLink(bin.resolve("aiel"), Path.of(clients.python()).resolveSibling("aiel"));
        return folder;
    }

    /** What the README says that the start prints, {@code ./plane up} has printed, and its call answers; the commands beside it are run by the page for beginners. */
    @Test
    void showsInTheReadmeWhatTheStartPrints(PackagedPlane plane) {
        Path root = Path.of("/");
        String shown = Pages.samples(README).stream()
                .filter(sample -> sample.info().equals("text"))
                .findFirst()
                .orElseThrow()
                .text()
                .replace(ADDRESS, plane.uri().toString())
                // Short from where it was started, which is the root.
                .replace(
                        ".plane/dev-token",
                        root.relativize(plane.dataDirectory().resolve("dev-token"))
                                .toString())
                .replace("127.0.0.1:9090", plane.grpc());
        String call = shown.lines()
                .map(String::strip)
                .filter(line -> line.startsWith("curl "))
                .findFirst()
                .orElseThrow();

        Waiting.until(
                START_LIMIT, plane::printed, text -> text.contains("everything that was started."), "the greeting");

        assertThat(plane.printed()).contains(shown.strip());
        assertThat(Command.of("bash", "-c", call.replace("curl ", "curl --silent --fail "))
                        .in(root)
                        .run()
                        .orFail())
                .contains("\"demo\"");
    }

    /** To renew the document after a change of the API: run this with {@code PLANE_RENEW=openapi} in the environment. */
    @Test
    void hasTheOpenApiDocumentOfTheServer(PackagedPlane plane) throws IOException {
        String served = plane.client()
                .get("/q/openapi?format=YAML")
                .text()
                .replace(plane.uri().toString(), "http://localhost:8080");
        if ("openapi".equals(System.getenv("PLANE_RENEW"))) {
            Files.writeString(OPENAPI, served);
        }

        assertThat(OPENAPI).content().isEqualTo(served);
        assertThat(served).contains("openapi: 3.1", "/executions");
    }
}
