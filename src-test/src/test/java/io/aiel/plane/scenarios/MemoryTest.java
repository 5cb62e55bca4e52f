package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The memory calls of the packaged application as the published {@code RemoteSaver} makes them, unchanged and from outside. Meant to fail: without
 * the contract's own code for a missing checkpoint, the SDK raises where it is to answer with nothing.
 */
@ExtendWith(SharedPlane.class)
class MemoryTest {
    private static final Duration RECORDED_WITHIN = Duration.ofSeconds(60);
    private static final Path SCRIPT = Path.of("src/test/clients/sdk_memory.py");

    @Test
    void servesThePublishedSaver(PackagedPlane plane, PublishedClients clients) {
        Project project = plane.newProject("memory-sdk");

        JsonNode seen = PlaneClient.read(
                Command.of(clients.python(), "-B", SCRIPT.toAbsolutePath().toString())
                        .inACleanEnvironment()
                        .with("PLANE", plane.uri().toString())
                        .with("TOKEN", project.client().token())
                        .with("WORKSPACE", project.workspace())
                        .with("PROJECT", project.id())
                        .with("PATH", "/usr/bin:/bin")
                        .with("LANG", "C.UTF-8")
                        .with("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
                        .run()
                        .orFail());

        assertThat(seen.path("threads").asInt()).isEqualTo(8);
        assertThat(seen.path("messages").asInt()).isEqualTo(96);
        assertThat(seen.path("state").asInt()).isEqualTo(64);
        assertThat(seen.path("refusals")).isEqualTo(PlaneClient.read("""
                        {"role": "400 VALIDATION_ERROR", "nul": "400 VALIDATION_ERROR", "half": "400 VALIDATION_ERROR",
                         "brief": "400 VALIDATION_ERROR", "large": "413 PAYLOAD_TOO_LARGE", "latest": "404 checkpoint_not_found"}
                        """));
    }

    /** What is remembered is in no record; that something was forgotten, and how much, is in one. */
    @Test
    void recordsWhatIsForgottenAndNothingOfWhatIsRemembered(PackagedPlane plane) {
        Project project = plane.newProject("memory-audit");
        String canary = "canary" + Long.toHexString(System.nanoTime());
        String memory = project.path() + "/memory";
        PlaneClient client = project.client();
        client.post(
                        memory + "/thread/" + canary + "/messages:append",
                        Map.of("messages", List.of(Map.of("role", "human", "content", canary))))
                .expect(200);
        for (String key : List.of("a", canary)) {
            client.post(
                            memory + "/recall:put",
                            Map.of("namespace", List.of(canary), "key", key, "value", Map.of("v", canary)))
                    .expect(200);
        }

        client.post(
                        memory + "/recall:forget",
                        Map.of("namespace", List.of(canary), "selector", Map.of("keys", List.of("a", canary))))
                .expect(200);

        List<JsonNode> records = Waiting.until(
                RECORDED_WITHIN,
                () -> new Audit(client)
                        .records("project=" + project.id() + "&type=control.changed").stream()
                                .filter(record ->
                                        record.at("/event/data/what").asText().equals("memory.forgotten"))
                                .toList(),
                found -> !found.isEmpty(),
                "the record of what was forgotten");
        assertThat(records).hasSize(1);
        assertThat(records.getFirst().at("/event/data/subject_id").asText()).isEqualTo(project.id());
        assertThat(records.getFirst().toString()).contains("\"items\":\"2\"").doesNotContain(canary);
        assertThat(client.get("/v1/audit/events?project=" + project.id()).text())
                .doesNotContain(canary);
    }

    @Test
    void isReadAndWrittenByWhoMay(PackagedPlane plane) {
        Project project = plane.newProject("memory-roles");
        String append = project.path() + "/memory/thread/t/messages:append";
        Map<String, Object> message = Map.of("messages", List.of(Map.of("role", "human", "content", "m")));
        project.client().post(append, message).expect(200);
        Project viewer = project.asAnother("viewer");

        Answer read = viewer.client().get(project.path() + "/memory/thread/t/messages");
        Answer write = viewer.client().post(append, message);
        Answer audited = project.asAnother("auditor").client().get(project.path() + "/memory/thread/t/messages");

        assertThat(read.expect(200).path("messages")).hasSize(1);
        assertThat(write.status()).isEqualTo(403);
        assertThat(audited.status()).isEqualTo(403);
    }
}
