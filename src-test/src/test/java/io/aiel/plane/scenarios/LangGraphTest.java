package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** LangGraph's conformance suite for checkpointers, and checks of its store, through the published SDK's adapters. */
@ExtendWith(SharedPlane.class)
class LangGraphTest {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Path SCRIPT = Path.of("src/test/clients/sdk_langgraph.py");
    private static final Path PAGE = PackagedPlane.repository().resolve("docs/memory.md");
    private static final Pattern SECTION = Pattern.compile("(?s)\n## LangGraph\n(.*?)\n## ");
    private static final Pattern CASES = Pattern.compile("(?m)^\\|[^|]+\\|((?: `[a-z0-9_]+`,?)+) \\|$");
    private static final Pattern NAME = Pattern.compile("`([^`]+)`");
    /** Of the suite's locked version, with the capabilities that the adapter has no method for. */
    private static final int CASES_OF_THE_SUITE = 57;

    private static final int CASES_OF_THE_STORE = 19;

    /** What fails is exactly what the page says that the adapters cannot: a case that begins to pass is to be taken from the page. */
    @Test
    void passesAllThatTheSdksAdaptersCanAsThePageLists(PackagedPlane plane) throws IOException {
        Project project = plane.newProject("langgraph");

        JsonNode seen = PlaneClient.read(Command.of(
                        PublishedClients.installWithLangGraph().python(),
                        "-B",
                        SCRIPT.toAbsolutePath().toString())
                .inACleanEnvironment()
                .with("PLANE", plane.uri().toString())
                .with("TOKEN", project.client().token())
                .with("WORKSPACE", project.workspace())
                .with("PROJECT", project.id())
                .with("PATH", "/usr/bin:/bin")
                .with("LANG", "C.UTF-8")
                .with("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
                .within(LIMIT)
                .run()
                .orFail());

        Set<String> failed = new TreeSet<>(
                seen.path("failed").properties().stream().map(Map.Entry::getKey).toList());
        assertThat(failed).as(seen.path("failed").toPrettyString()).isEqualTo(listed());
        assertThat(seen.path("suite").asInt()).isEqualTo(CASES_OF_THE_SUITE);
        assertThat(seen.path("passed").size() + failed.size()).isEqualTo(CASES_OF_THE_SUITE + CASES_OF_THE_STORE);
    }

    private static Set<String> listed() throws IOException {
        String section = SECTION.matcher(Files.readString(PAGE))
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.joining());
        return CASES.matcher(section)
                .results()
                .flatMap(row -> NAME.matcher(row.group(1)).results())
                .map((MatchResult name) -> name.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
