package io.aiel.plane.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TokenTextTest {
    private static final String TOKEN = "aielp_usr_0123456789abcdefghijklmnopqrstABCDEF";

    @Test
    void recognisesATokenInsideOfText() {
        assertThat(TokenText.isIn("/v1/" + TOKEN + "/files")).isTrue();
        assertThat(TokenText.isIn(TOKEN.replace("usr", "svc"))).isTrue();
        assertThat(TokenText.isIn(TOKEN.substring(0, 25))).as("a cut one").isTrue();
    }

    @Test
    void leavesOtherTextAlone() {
        assertThat(TokenText.isIn("aielp_usr_ is how a token begins")).isFalse();
        assertThat(TokenText.isIn("")).isFalse();
        assertThat(TokenText.redacted("a file named aielp_notes.py")).isEqualTo("a file named aielp_notes.py");
    }

    @Test
    void redactsAllButTheKind() {
        assertThat(TokenText.redacted("no tool " + TOKEN + ", nor " + TOKEN + "."))
                .isEqualTo("no tool aielp_usr_[redacted], nor aielp_usr_[redacted].");
    }

    @Test
    void redactsTheSecretOfCallbacksTooButDoesNotTakeItForAToken() {
        String secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9+A7kQzR/c0=";

        assertThat(TokenText.redacted("it is " + secret + ".")).isEqualTo("it is whsec_[redacted].");
        assertThat(TokenText.isIn("/v1/" + secret)).isFalse();
        assertThat(TokenText.redacted("files/whsec_verification.py and whsec_keys/rotation.py"))
                .isEqualTo("files/whsec_verification.py and whsec_keys/rotation.py");
    }
}
