package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The isolation that is asked for is the one that is had, or none is. Each server is a process of its own; as root it gets its own
 * mounts and process ids, so that no attempt of a self-test and no unprotected worker is where it could harm the machine.
 */
class TiersTest {
    private record Seen(JsonNode found, String output) {}

    private static Seen server(List<String> prefix, String isolation) throws Exception {
        try (ChildJvm child = new ChildJvm(
                prefix, TierProbe.class, Plane.DATA.toAbsolutePath().toString(), isolation)) {
            String output = child.end();
            String line = output.lines()
                    .filter(text -> text.startsWith(TierProbe.MARK))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError(output));
            return new Seen(Plane.JSON.readTree(line.substring(TierProbe.MARK.length())), output);
        }
    }

    private static Seen server(String isolation) throws Exception {
        return server(Namespaces.ofItsOwn("--mount", "--pid", "--fork", "--mount-proc", "--kill-child"), isolation);
    }

    @Test
    void restrictedByNameIsHadAndProvedByTheSelfTest() throws Exception {
        Seen seen = server("restricted");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isTrue();
        assertThat(seen.found().at("/status/tier").asText()).isEqualTo("restricted");
        assertThat(seen.found().at("/execution/tier").asText()).isEqualTo("restricted");
        assertThat(seen.found().at("/result/passwd").isBoolean())
                .as(seen.output())
                .isTrue();
        assertThat(seen.found().at("/result/passwd").asBoolean())
                .as(seen.output())
                .isFalse();
        assertThat(seen.output()).contains("The sandbox held against").doesNotContain("isolation is 'none'");
    }

    @Test
    void noneByNameRunsAndIsLoudAboutIt() throws Exception {
        Seen seen = server("none");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isTrue();
        assertThat(seen.found().at("/status/tier").asText()).isEqualTo("none");
        assertThat(seen.found().at("/execution/tier").asText()).isEqualTo("none");
        assertThat(seen.found().at("/result/passwd").asBoolean())
                .as(seen.output())
                .isTrue();
        assertThat(seen.found().path("detail").asText())
                .contains("isolation is 'none'")
                .doesNotContain("holds");
        assertThat(seen.output()).contains("WARNING: isolation is 'none'").doesNotContain("The sandbox held");
    }

    /**
     * As root of a user namespace with one id in which no other may be made: like root in a container without rights.
     */
    @Test
    void autoWhereNamespacesCannotBeHadIsNotReadyAndRunsNothing() throws Exception {
        List<String> inside = new ArrayList<>(List.of("unshare", "-Ur"));
        assumeTrue(Namespaces.runs(inside), "this user may make no user namespace, so none can be taken away");
        inside.addAll(List.of("sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"));
        Seen seen = server(inside, "auto");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isFalse();
        assertThat(seen.found().path("detail").asText()).contains("unshare(user, pid)");
        assertThat(seen.found().path("code").asText()).isEqualTo("NOT_READY");
        assertThat(seen.found().path("text").asText()).contains("unshare(user, pid)");
        assertThat(seen.found().path("status").has("tier")).as(seen.output()).isFalse();
    }
}
