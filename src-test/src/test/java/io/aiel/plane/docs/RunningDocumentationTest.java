package io.aiel.plane.docs;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.GrpcClient;
import io.aiel.plane.fixtures.Grpcurl;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs what the pages tell a reader to run. The samples of one page that are marked {@code sh run} are one script, so that later
 * ones build on earlier ones; the fence of what they print is not compared.
 */
@ExtendWith(SharedPlane.class)
class RunningDocumentationTest {
    private static final Path OPENAPI = PackagedPlane.repository().resolve("docs/reference/openapi.yaml");
    private static final Path SAMPLE = PackagedPlane.repository().resolve("samples/hello/entry_point.py");

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
        Project project = plane.newProject("documentation-" + Long.toHexString(System.nanoTime()));
        project.push(Map.of("entry_point.py", Files.readString(SAMPLE)));
        PublishedClients.User reader = clients.user(Files.createTempDirectory(scratch, "home"));
        Command command = Command.of("bash", "-eu", "-o", "pipefail", "-c", script(page))
                .in(PackagedPlane.repository())
                .inACleanEnvironment()
                .within(Duration.ofMinutes(3));
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
        command.with("PLANE_URL", plane.uri().toString())
                .with("PLANE_GRPC", plane.grpc())
                .with("PLANE_TOKEN", plane.client().token())
                .with("WORKSPACE", project.workspace())
                .with("PROJECT", project.id())
                .with("PLANE_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .run()
                .orFail();
    }

    private static String script(Path page) {
        StringBuilder script = new StringBuilder();
        Pages.samples(page).stream()
                .filter(sample -> sample.info().equals("sh run"))
                .forEach(sample -> script.append(sample.text()).append('\n'));
        return script.toString();
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
