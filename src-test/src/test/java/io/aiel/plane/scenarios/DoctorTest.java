package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code ./plane doctor} says of this machine what an execution on it then says of itself. */
@ExtendWith(SharedPlane.class)
class DoctorTest {
    @Test
    void saysWhatTheTierInUseIsMadeOfAsEachExecutionDoes(PackagedPlane plane) throws IOException {
        Project project = plane.newProject("doctor");
        project.push(Map.of(
                "entry_point.py",
                "from aiel_sdk import tool\n\n\n@tool(\"echo\")\ndef echo(ctx, payload):\n    return payload\n"));
        JsonNode isolation = project.tool("echo", Map.of()).expect(200).at("/meta/isolation");
        Path data = PackagedPlane.freshData();
        Command.Result doctor;
        try {
            // Port 0 is always free, and what else listens here is not the matter.
            doctor = Command.of(
                            PackagedPlane.repository().resolve("plane").toString(),
                            "doctor",
                            "--port",
                            "0",
                            "--data",
                            data.toString())
                    .with("PLANE_BUILD", "never")
                    .run();
        } finally {
            Command.deleteRecursively(data);
        }

        assertThat(doctor.orFail().lines())
                .as("%s\n%s", doctor, isolation)
                .anySatisfy(line -> assertThat(line)
                        .startsWith(
                                "ok       isolation '" + isolation.path("tier").asText() + "'")
                        .contains(
                                "Landlock ABI " + isolation.path("landlock_abi").asInt())
                        .contains("seccomp " + isolation.path("seccomp").asText() + " ("
                                + isolation.path("seccomp_digest").asText().substring(0, "sha256:".length() + 12) + ")")
                        .contains(isolation
                                .path("namespaces")
                                .valueStream()
                                .map(JsonNode::asText)
                                .toList()));
    }
}
