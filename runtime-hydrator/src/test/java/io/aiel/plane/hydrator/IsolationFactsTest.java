package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.JsonText;
import org.junit.jupiter.api.Test;

class IsolationFactsTest {
    private static final JsonText ZYGOTE = new JsonText(
            "{\"tier\":\"namespaces\",\"seccomp\":\"default\",\"seccomp_digest\":\"sha256:00\","
                    + "\"seccomp_digests\":{\"network\":\"sha256:11\",\"subprocess\":\"sha256:22\"},\"profiles\":[\"default\",\"network\",\"subprocess\"]}");

    @Test
    void leavesTheDefaultAsItIsWithoutWhatConcernsOthers() {
        assertThat(IsolationFacts.of(ZYGOTE, Profile.DEFAULT).value())
                .contains("\"seccomp\":\"default\"", "\"seccomp_digest\":\"sha256:00\"")
                .doesNotContain("sha256:11", "seccomp_digests");
    }

    /** Seen to fail: where the digest stays that of the default filter. */
    @Test
    void namesTheFilterThatTheWorkerHas() {
        assertThat(IsolationFacts.of(ZYGOTE, Profile.NETWORK).value())
                .contains("\"seccomp\":\"network\"", "\"seccomp_digest\":\"sha256:11\"", "egress proxy")
                .doesNotContain("sha256:00", "sha256:22", "seccomp_digests");
        assertThat(IsolationFacts.of(ZYGOTE, Profile.SUBPROCESS).value())
                .contains("\"seccomp\":\"subprocess\"", "\"seccomp_digest\":\"sha256:22\"")
                .doesNotContain("egress proxy");
    }

    @Test
    void offersWhatTheZygoteCanHold() {
        assertThat(IsolationFacts.offers(ZYGOTE, Profile.NETWORK)).isTrue();
        assertThat(IsolationFacts.offers(ZYGOTE, Profile.NETWORK_SUBPROCESS)).isFalse();
        assertThat(IsolationFacts.offers(new JsonText("{}"), Profile.DEFAULT)).isTrue();
    }
}
