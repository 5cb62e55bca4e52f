package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * HTTP/2 is switched off (decision 0014), so its floods find nobody: rapid reset, CONTINUATION, settings, pings and header bombs all
 * need a connection that speaks it. Where gRPC is served it is on, and {@link GrpcLimitsTest} tries those.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class Http2Test {
    private static final byte[] SETTINGS = {0, 0, 0, 4, 0, 0, 0, 0, 0};

    @Test
    void doesNotSpeakItToWhoeverJustBegins(PackagedPlane plane) {
        byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

        Wire.Answer answer = new Wire(plane.uri()).send(preface, SETTINGS);

        assertThat(answer.status()).as(answer.head()).isIn(0, 400, 505);
        assertThat(answer.body()).as("frames").doesNotContain("\0\0");
    }

    @Test
    void doesNotChangeToItWhenAsked(PackagedPlane plane) {
        Wire.Answer answer = new Wire(plane.uri())
                .send(
                        Wire.head(
                                "GET /q/health/live HTTP/1.1",
                                "Host: plane",
                                "Connection: Upgrade, HTTP2-Settings",
                                "Upgrade: h2c",
                                "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
                        // It still speaks HTTP/1.1, and ends the connection when that asks for it.
                        Wire.head("GET /q/health/live HTTP/1.1", "Host: plane", "Connection: close"));

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Upgrade")).isEmpty();
        assertThat(answer.body()).contains("HTTP/1.1 200");
    }
}
