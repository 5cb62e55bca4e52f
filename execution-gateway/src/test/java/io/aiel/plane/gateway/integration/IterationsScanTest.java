package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a hostile server would write for a count that the clients take for two thousand million. */
class IterationsScanTest {
    private static boolean asksForTooMuch(IterationsScan scan, String said) {
        return scan.asksForTooMuch(Unpooled.wrappedBuffer(said.getBytes(StandardCharsets.UTF_8)));
    }

    /** Seen to fail, each where it concerns it: without the look at a sign, and at digits of other scripts. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "r=abc,s=c2FsdA==,i=2147483647",
                "r=abc,s=c2FsdA==,i=100001",
                "r=abc,s=c2FsdA==,i=+2147483647",
                "r=abc,s=c2FsdA==,i=２１４７４８３６４７",
                "r=abc,s=c2FsdA==,i=1１４７４８３６",
                "i=2147483647,r=abc,s=c2FsdA==",
                "r=abc,s=c2FsdA==,i=0002147483647",
            })
    void findsWhatAsksForTooMuch(String said) {
        assertThat(asksForTooMuch(new IterationsScan(), said)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "r=abc,s=c2FsdA==,i=4096",
                "r=abc,s=c2FsdA==,i=100000",
                "r=abc,s=c2Fsdi==,i=15000,x=999999999",
                "version=999999999, size=1+1",
                "r=ab;i=+cd,s=c2FsdA==,i=+4096",
            })
    void letsPassWhatDoesNot(String said) {
        assertThat(asksForTooMuch(new IterationsScan(), said)).isFalse();
    }

    @Test
    void findsItInPieces() {
        IterationsScan scan = new IterationsScan();

        assertThat(asksForTooMuch(scan, "r=abc,s=c2FsdA==,i")).isFalse();
        assertThat(asksForTooMuch(scan, "=")).isFalse();
        assertThat(asksForTooMuch(scan, "1000")).isFalse();
        assertThat(asksForTooMuch(scan, "01")).isTrue();
    }
}
