package io.aiel.plane.hydrator.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the machine for a zygote's channel makes of frames in and out of order. */
class ZygoteProtocolTest {
    private static final String HELLO = "{\"type\":\"hello\",\"protocol\":1,\"tier\":\"namespaces\",\"isolation\":{},"
            + "\"python\":\"3.11.2\",\"sdk_version\":\"1\",\"runtime_version\":\"2\",\"pid\":1}";
    private static final String EXITED = "{\"type\":\"exited\",\"worker\":\"w1\",\"exit_code\":null,\"signal\":9,"
            + "\"memory_limit_hit\":true,\"process_limit_hit\":false,\"cpu_limit_hit\":false,\"cpu_ms\":5,\"max_rss_bytes\":6}";

    private static List<ZygoteEvent> receive(ZygoteProtocol protocol, String json) {
        return protocol.receive(ByteBuffer.wrap(Message.frame(json)));
    }

    private static ZygoteProtocol serving() {
        ZygoteProtocol protocol = new ZygoteProtocol(1 << 16);
        assertThat(receive(protocol, HELLO)).hasOnlyElementsOfType(ZygoteEvent.Hello.class);
        assertThat(protocol.spawn("w1", "n", "", "s", 0, "default", WorkerLimits.DEFAULT, ""))
                .isNotEmpty();
        return protocol;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\":\"pong\"}",
                "{\"type\":\"spawned\",\"worker\":\"w1\",\"pid\":2}",
                "{\"type\":\"hello\",\"protocol\":2}",
                "{\"type\":\"hello\",\"protocol\":1}",
            })
    void nothingButAGoodHelloMayComeFirst(String json) {
        assertThat(receive(new ZygoteProtocol(1 << 16), json)).hasOnlyElementsOfType(ZygoteEvent.Broken.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                HELLO,
                EXITED,
                "{\"type\":\"spawned\",\"worker\":\"w2\",\"pid\":2}",
                "{\"type\":\"spawn_failed\",\"worker\":\"w2\",\"reason\":\"r\"}",
                "{\"type\":\"invoke\"}",
            })
    void whatWasNotAskedForIsABreach(String json) {
        ZygoteProtocol protocol = serving();
        assertThat(receive(protocol, json)).hasOnlyElementsOfType(ZygoteEvent.Broken.class);
        assertThat(receive(protocol, "{\"type\":\"pong\"}")).isEmpty();
    }

    @Test
    void aWorkerExitsOnceForEachTimeItWasSpawned() {
        ZygoteProtocol protocol = serving();
        assertThat(receive(protocol, "{\"type\":\"spawned\",\"worker\":\"w1\",\"pid\":2}"))
                .containsExactly(new ZygoteEvent.Spawned("w1", 2));
        assertThat(receive(protocol, EXITED))
                .singleElement()
                .isInstanceOfSatisfying(
                        ZygoteEvent.Exited.class,
                        exit -> assertThat(exit.memoryLimitHit()).isTrue());
        assertThat(receive(protocol, EXITED)).hasOnlyElementsOfType(ZygoteEvent.Broken.class);
    }

    @Test
    void aTierThatCannotBeHadIsSaidInsteadOfHello() {
        assertThat(receive(new ZygoteProtocol(1 << 16), "{\"type\":\"start_failed\",\"reason\":\"no\"}"))
                .containsExactly(new ZygoteEvent.StartFailed("no"));
    }
}
