package io.aiel.plane.gateway.callback;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class WebhookSecretTest {
    private static final WebhookSecret SECRET = WebhookSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    /** The vector that the libraries of Standard Webhooks test themselves by. */
    @Test
    void signsAsTheSpecificationSays() {
        assertThat(SECRET.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330L, "{\"test\": 2432232314}"))
                .isEqualTo("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    @Test
    void showsItselfOnlyWhenAskedTo() {
        assertThat(SECRET.toString()).isEqualTo("whsec_[redacted]");
        assertThat(WebhookSecret.parse(SECRET.reveal())).isEqualTo(SECRET);
        assertThat(WebhookSecret.create()).isNotEqualTo(WebhookSecret.create());
    }

    @Test
    void opensOnlyForWhomItWasSealed() {
        SecretSeal seal = new SecretSeal(new byte[SecretSeal.KEY_BYTES]);
        byte[] sealed = seal.seal(SECRET.bytes(), "proj_1/whs_1");

        assertThat(seal.open(sealed, "proj_1/whs_1")).isEqualTo(SECRET.bytes());
        assertThat(seal.seal(SECRET.bytes(), "proj_1/whs_1")).isNotEqualTo(sealed);
        assertThatThrownBy(() -> seal.open(sealed, "proj_2/whs_1")).isInstanceOf(IllegalStateException.class);
    }
}
