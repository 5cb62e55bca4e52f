package io.aiel.plane.gateway.mcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Calls that can be cancelled: by their session and id, once, and not for ever. */
class CallsInFlightTest {
    private static final JsonNode ONE = IntNode.valueOf(1);

    private final CallsInFlight calls = new CallsInFlight(2);
    private final AtomicInteger stopped = new AtomicInteger();

    private CallsInFlight.Call begin(String session, JsonNode id) {
        CallsInFlight.Call call = calls.begin(session, id).orElseThrow();
        call.onCancellation(stopped::incrementAndGet);
        return call;
    }

    @Test
    void stopsTheCallOfThatSessionAndIdOnce() {
        begin("a", ONE);

        calls.cancel("b", ONE);
        calls.cancel("a", TextNode.valueOf("1"));
        assertThat(stopped).hasValue(0);

        calls.cancel("a", ONE);
        calls.cancel("a", ONE);
        assertThat(stopped).hasValue(1);
    }

    @Test
    void stopsACallThatWasCancelledBeforeItWasKnownHow() {
        CallsInFlight.Call call = calls.begin("a", ONE).orElseThrow();

        calls.cancel("a", ONE);
        call.onCancellation(stopped::incrementAndGet);

        assertThat(stopped).hasValue(1);
    }

    @Test
    void takesSoManyOfASessionAndEachIdOnce() {
        begin("a", ONE);
        begin("a", IntNode.valueOf(2));

        assertThat(calls.begin("a", IntNode.valueOf(3))).isEmpty();
        assertThatThrownBy(() -> calls.begin("a", ONE)).isInstanceOf(RpcError.class);
        assertThat(calls.begin("b", ONE)).isPresent();
    }

    @Test
    void forgetsWhatHasEnded() {
        begin("a", ONE);
        begin("a", IntNode.valueOf(2));
        calls.cancelAll("a");
        assertThat(stopped).hasValue(2);

        calls.end("a", ONE);
        calls.end("a", IntNode.valueOf(2));

        assertThat(calls.sessions()).isZero();
        assertThat(calls.begin("a", ONE)).isPresent();
    }
}
