package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.HostTraces;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * {@code ./plane up} as a user without privileges. Started by root this test becomes one ({@code setpriv}); as an ordinary user
 * every other scenario shows it already.
 */
class OrdinaryUserTest {
    private static final String UID = "20001";

    @Test
    void runsIsolatedWithoutPrivileges() {
        assumeTrue("root".equals(System.getProperty("user.name")), "already an ordinary user");
        assumeTrue(
                Command.of("setpriv", "--version").run().exit() == 0 && readableByOthers(),
                "the clone is in a folder that other users cannot read");
        Path data = PackagedPlane.freshData();
        Command.of("chown", UID + ":" + UID, data.toString()).run().orFail();
        HostTraces traces = HostTraces.before();
        List<String> asUser =
                List.of("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--", "env", "HOME=" + data);

        try (PackagedPlane plane = PackagedPlane.startThrough(asUser, data)) {
            Project project = plane.demo();
            project.push(Map.of("entry_point.py", """
                    import os

                    from aiel_sdk import tool

                    @tool("who")
                    def who(ctx, payload):
                        return {"files": os.listdir("/"), "processes": [p for p in os.listdir("/proc") if p.isdigit()]}
                    """));

            JsonNode answer = project.tool("who", Map.of()).expect(200);

            assertThat(answer.at("/meta/isolation/tier").asText()).isEqualTo("namespaces");
            assertThat(answer.at("/meta/isolation/user_namespace").asBoolean()).isTrue();
            assertThat(answer.at("/result/processes")).as("sees itself only").hasSizeLessThanOrEqualTo(2);
            traces.note(plane);
            plane.signal("TERM");
            traces.assertNothingLeft(Duration.ofSeconds(20));
        }
    }

    private static boolean readableByOthers() {
        return Command.of(
                                "setpriv",
                                "--reuid",
                                UID,
                                "--regid",
                                UID,
                                "--clear-groups",
                                "--",
                                "test",
                                "-r",
                                PackagedPlane.repository().resolve("plane").toString())
                        .run()
                        .exit()
                == 0;
    }
}
