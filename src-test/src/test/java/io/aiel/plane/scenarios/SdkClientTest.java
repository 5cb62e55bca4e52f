package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The published {@code AielClient} reads our refusals: the code arrives, and what is not worth a retry is not retried.
 *
 * <p>Meant to fail: with 503 as the status of a denial, the SDK calls four times; without the {@code error} member, it finds no
 * code.
 */
@ExtendWith(SharedPlane.class)
class SdkClientTest {
    private static final Path SCRIPT = Path.of("src/test/clients/sdk_errors.py");

    private static JsonNode call(
            PackagedPlane plane, PublishedClients clients, String token, String method, String path, Object body) {
        String output = Command.of(
                        clients.python(), "-B", SCRIPT.toAbsolutePath().toString())
                .inACleanEnvironment()
                .with("PLANE", plane.uri().toString())
                .with("PATH", "/usr/bin:/bin")
                .with("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
                .withInput(PlaneClient.text(
                        Map.of("name", path, "token", token, "method", method, "path", path, "body", body)))
                .run()
                .orFail();
        return PlaneClient.read(output);
    }

    private static void assertRefusedOnce(JsonNode seen, int status, String code) {
        assertThat(seen.path("status").asInt()).as(seen.toString()).isEqualTo(status);
        assertThat(seen.path("code").asText()).as(seen.toString()).isEqualTo(code);
        assertThat(seen.path("attempts").asInt()).as(seen.toString()).isEqualTo(1);
    }

    @Test
    void understandsAnUnknownToken(PackagedPlane plane, PublishedClients clients) {
        assertRefusedOnce(
                call(plane, clients, "aielp_dev_nonsense", "GET", "/v1/auth/me", Map.of()), 401, "UNAUTHENTICATED");
    }

    @Test
    void understandsADenial(PackagedPlane plane, PublishedClients clients) {
        String viewer = plane.token("sdk-viewer", List.of("viewer"), List.of("*"));
        String path = plane.demo().path() + "/uploads:sign?path=a.py";

        JsonNode seen = call(
                plane,
                clients,
                viewer,
                "POST",
                path,
                Map.of("content_type", "text/plain", "expected_version", 0, "size_bytes", 1, "sha256", "a".repeat(64)));

        assertThat(seen.path("status").asInt()).as(seen.toString()).isEqualTo(403);
        assertThat(seen.path("code").asText()).isIn("PERMISSION_DENIED", "POLICY_DENIED");
        assertThat(seen.path("attempts").asInt()).isEqualTo(1);
    }

    @Test
    void understandsThatThereIsNoSuchProject(PackagedPlane plane, PublishedClients clients) {
        String path = "/v1/workspaces/ws_" + "0".repeat(32) + "/projects/prj_" + "0".repeat(32) + "/files";

        assertRefusedOnce(call(plane, clients, plane.client().token(), "GET", path, Map.of()), 404, "NOT_FOUND");
    }

    @Test
    void understandsAVersionConflict(PackagedPlane plane, PublishedClients clients) {
        Project project = plane.newProject("sdk-conflict");
        project.push(Map.of("entry_point.py", "# one\n"));
        Map<String, Object> stale =
                Map.of("content_type", "text/plain", "expected_version", 7, "size_bytes", 1, "sha256", "a".repeat(64));

        JsonNode seen = call(
                plane,
                clients,
                plane.client().token(),
                "POST",
                project.path() + "/uploads:sign?path=entry_point.py",
                stale);

        assertRefusedOnce(seen, 409, "VERSION_CONFLICT");
    }

    @Test
    void getsTheResultOutOfAnEnvelope(PackagedPlane plane, PublishedClients clients) {
        Project project = plane.newProject("sdk-envelope");
        project.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("add")
                def add(ctx, payload):
                    return {"sum": payload["a"] + payload["b"]}
                """));

        JsonNode seen = call(
                plane,
                clients,
                plane.client().token(),
                "POST",
                project.path() + "/executions",
                Map.of("action", "invoke", "kind", "tool", "handler", "add", "event", Map.of("a", 1, "b", 2)));

        assertThat(seen.path("answer")).isEqualTo(PlaneClient.read("{\"sum\": 3}"));
    }
}
