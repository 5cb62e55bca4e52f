package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A server whose self-test does not hold is not ready, says which attempt it was, and runs nothing. The hole is made in a copy of the
 * workers' code, which a server of its own finds in place of what the build ships; as root that server has mounts and process ids of
 * its own. Meant to fail: with {@code ProcessHydrator} ready whatever the self-test says, or with only its log told.
 */
class FailedSelfTestTest {
    /** Where the build ships the workers' code. */
    private static final String SHIPPED = "plane-hydrator/python";

    @TempDir
    Path build;

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            value = {
                // The same hole as in test_mutants.py: sockets can be made, in a network namespace where nobody is.
                "a wall with a hole | plane_worker/seccomp.py | read write readv | socket connect read write readv"
                        + " | attempt '.+' got out: .+",
                "an attempt without an answer | plane_worker/selftest/entry_point.py"
                        + " | signal.raise_signal(signal.SIGCONT) | os._exit(7)"
                        + " | attempt 'signal_self' could not be made: .+",
            })
    void isNotReadyAndRunsNothing(String hole, String file, String text, String replacement, String why)
            throws Exception {
        for (Map.Entry<String, byte[]> shipped :
                ShippedFiles.below("python", "plane_worker/launcher.py").entrySet()) {
            Path copy = build.resolve(SHIPPED).resolve(shipped.getKey());
            Files.createDirectories(copy.getParent());
            Files.write(copy, shipped.getValue());
        }
        Path broken = build.resolve(SHIPPED).resolve(file);
        String whole = Files.readString(broken, StandardCharsets.UTF_8);
        assertThat(whole).as("the place of %s", hole).contains(text);
        Files.writeString(broken, whole.replace(text, replacement));

        JsonNode found = serve();

        assertThat(found.path("ready").asBoolean()).as("%s", found).isFalse();
        assertThat(found.path("detail").asText()).matches("(?s)the self-test of the sandbox failed: " + why);
        assertThat(found.path("code").asText()).isEqualTo("NOT_READY");
        assertThat(found.path("text").asText())
                .as("who calls is told the same")
                .contains(found.path("detail").asText());
        assertThat(found.has("result")).as("%s", found).isFalse();
    }

    private JsonNode serve() throws Exception {
        List<String> prefix =
                new ArrayList<>(Namespaces.ofItsOwn("--mount", "--pid", "--fork", "--mount-proc", "--kill-child"));
        try (ChildJvm child = new ChildJvm(
                prefix,
                List.of(build),
                TierProbe.class,
                Plane.DATA.toAbsolutePath().toString(),
                "namespaces")) {
            String output = child.end();
            String line = output.lines()
                    .filter(text -> text.startsWith(TierProbe.MARK))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(output));
            return Plane.JSON.readTree(line.substring(TierProbe.MARK.length()));
        }
    }
}
