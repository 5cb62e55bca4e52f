package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The isolation that is asked for is the one that is had, or none is. Each server is a process of its own; as root it gets its own
 * mounts and process ids, so that no attempt of a self-test and no unprotected worker is where it could harm the machine.
 */
class TiersTest {
    private record Seen(JsonNode found, String output) {}

    private static Seen server(List<String> prefix, String... isolationAndMinimum) throws Exception {
        List<String> arguments =
                new ArrayList<>(List.of(Plane.DATA.toAbsolutePath().toString()));
        arguments.addAll(List.of(isolationAndMinimum));
        try (ChildJvm child = new ChildJvm(prefix, TierProbe.class, arguments.toArray(String[]::new))) {
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

    /** As root of a user namespace with one id in which no other may be made: like root in a container without rights. */
    private static List<String> withoutNamespaces() throws Exception {
        List<String> inside = new ArrayList<>(List.of("unshare", "-Ur"));
        assumeTrue(Namespaces.runs(inside), "this user may make no user namespace, so none can be taken away");
        inside.addAll(List.of("sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"));
        return inside;
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

    @Test
    void autoWhereNamespacesCannotBeHadIsNotReadyAndRunsNothing() throws Exception {
        Seen seen = server(withoutNamespaces(), "auto");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isFalse();
        assertThat(seen.found().path("detail").asText()).contains("unshare(user, pid)");
        assertThat(seen.found().path("code").asText()).isEqualTo("NOT_READY");
        assertThat(seen.found().path("text").asText()).contains("unshare(user, pid)");
        assertThat(seen.found().path("status").has("tier")).as(seen.output()).isFalse();
    }

    /** Meant to fail: with the comparison left out, the server runs in tier restricted. */
    @Test
    void aNamedTierBelowTheMinimumIsNotReadyAndRunsNothing() throws Exception {
        Seen seen = server(List.of(), "restricted", "namespaces");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isFalse();
        assertThat(seen.found().path("detail").asText())
                .isEqualTo(
                        "isolation 'restricted' is below the minimum 'namespaces'; set plane.hydrator.isolation to auto or"
                                + " a stronger tier, or lower plane.hydrator.minimum");
        assertThat(seen.found().path("code").asText()).isEqualTo("NOT_READY");
        assertThat(seen.found().path("status").has("tier")).as(seen.output()).isFalse();
    }

    @Test
    void autoTakesTheStrongestThatThereIsFromTheMinimumUp() throws Exception {
        assertThat(Tiers.candidates("auto", Optional.empty())).containsExactly("namespaces");
        assertThat(Tiers.candidates("auto", Optional.of("restricted"))).containsExactly("namespaces", "restricted");
        assertThat(Tiers.candidates("auto", Optional.of("gvisor"))).containsExactly("gvisor");
        assertThat(Tiers.candidates("gvisor", Optional.of("namespaces"))).containsExactly("gvisor");
        Seen seen = server(
                Namespaces.ofItsOwn("--mount", "--pid", "--fork", "--mount-proc", "--kill-child"),
                "auto",
                "restricted");
        assertThat(seen.found().at("/status/tier").asText()).as(seen.output()).isEqualTo("namespaces");
    }

    /** Each worker is a sandbox of its own; the self-test runs in one, as in every tier. */
    @Test
    void gvisorByNameIsHadAndProvedByTheSelfTest() throws Exception {
        String named = System.getenv("PLANE_RUNSC");
        boolean found = named != null
                || Stream.of("/usr/local/bin/runsc", "/usr/bin/runsc")
                        .anyMatch(path -> Files.isExecutable(Path.of(path)));
        assumeTrue(found, "no runsc on this machine, so tier gvisor was not tried");
        assumeTrue("root".equals(System.getProperty("user.name")), "tier gvisor needs root");
        Seen seen = server("gvisor");
        assertThat(seen.found().path("ready").asBoolean()).as(seen.output()).isTrue();
        assertThat(seen.found().at("/status/tier").asText()).isEqualTo("gvisor");
        assertThat(seen.found().at("/execution/tier").asText()).isEqualTo("gvisor");
        assertThat(seen.found().at("/execution/sandbox_per").asText()).isEqualTo("worker");
        assertThat(seen.found().at("/result/passwd").isBoolean())
                .as(seen.output())
                .isTrue();
        assertThat(seen.found().at("/result/passwd").asBoolean())
                .as(seen.output())
                .isFalse();
        assertThat(seen.output()).contains("The sandbox held against");
    }

    @Test
    void noneIsNeverTakenUnlessItIsNamed() throws Exception {
        assertThat(Tiers.candidates("auto", Optional.of("none"))).containsExactly("namespaces", "restricted");
        assertThat(Tiers.candidates("none", Optional.empty())).containsExactly("none");
        assertThatThrownBy(() -> Tiers.candidates("none", Optional.of("restricted")))
                .isInstanceOf(HydratorFailure.class)
                .hasMessageContaining("below the minimum 'restricted'");
        assertThatThrownBy(() -> Plane.settings().withMinimum("weak"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("must be one of");
    }

    /** What only root could give workers is not there: with this minimum the next tier down is taken, and proved. */
    @Test
    void autoGoesDownToTheMinimumAndSaysWhichTierItIs() throws Exception {
        Seen seen = server(withoutNamespaces(), "auto", "restricted");
        if (seen.found().path("ready").asBoolean()) {
            assertThat(seen.found().at("/execution/tier").asText()).isEqualTo("restricted");
            assertThat(seen.found().at("/execution/seccomp_digest").asText()).startsWith("sha256:");
        } else {
            // Root without the right to other uids may not have this tier either: then nothing runs, and both reasons
            // are told.
            assertThat(seen.found().path("detail").asText())
                    .contains("no isolation of at least 'restricted'", "namespaces: ", "restricted: ");
        }
    }
}
