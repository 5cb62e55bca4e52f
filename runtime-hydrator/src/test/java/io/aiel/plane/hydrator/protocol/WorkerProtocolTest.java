package io.aiel.plane.hydrator.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the machine for a worker's channel makes of bytes, good and bad. */
class WorkerProtocolTest {
    private static final String HELLO = "{\"type\":\"hello\",\"worker\":\"w1\",\"nonce\":\"n\"}";
    private static final String READY = "{\"type\":\"ready\",\"describe\":{\"tools\":[\"a\"]},\"exports\":[],"
            + "\"snapshot_id\":\"s\",\"sdk_version\":\"1\",\"runtime_version\":\"2\",\"load_ms\":3}";
    private static final ExecutionId ID = ExecutionId.create();

    private static ByteBuffer frame(String json) {
        return ByteBuffer.wrap(Message.frame(json));
    }

    private static WorkerProtocol idle() {
        WorkerProtocol protocol = new WorkerProtocol(1 << 16, 1000, 1024, 4096);
        assertThat(protocol.receive(frame(HELLO))).hasSize(1);
        assertThat(protocol.receive(frame(READY))).hasSize(1);
        return protocol;
    }

    private static WorkerProtocol busy() {
        WorkerProtocol protocol = idle();
        assertThat(protocol.invoke(ID, new JsonText("{}"), Map.of(), Optional.empty(), false))
                .isNotEmpty();
        return protocol;
    }

    private static String result(String envelope) {
        return "{\"type\":\"result\",\"id\":\"" + ID + "\",\"usage\":{\"cpu_ms\":1,\"wall_ms\":2,\"max_rss_bytes\":3},"
                + "\"tainted\":false,\"envelope\":" + envelope + "}";
    }

    @Test
    void framesMayArriveByteByByte() {
        WorkerProtocol protocol = new WorkerProtocol(1 << 16, 1000, 1024, 4096);
        List<WorkerEvent> events = new ArrayList<>();
        for (byte b : Message.frame(HELLO)) {
            events.addAll(protocol.receive(ByteBuffer.wrap(new byte[] {b})));
        }
        assertThat(events).containsExactly(new WorkerEvent.Hello("w1", "n"));
    }

    @Test
    void severalFramesMayArriveAtOnce() {
        byte[] hello = Message.frame(HELLO);
        byte[] ready = Message.frame(READY);
        ByteBuffer both = ByteBuffer.allocate(hello.length + ready.length)
                .put(hello)
                .put(ready)
                .flip();
        assertThat(new WorkerProtocol(1 << 16, 1000, 1024, 4096).receive(both))
                .hasExactlyElementsOfTypes(WorkerEvent.Hello.class, WorkerEvent.Ready.class);
    }

    @Test
    void aFrameThatIsTooLongIsRefusedBeforeItsBytesArrive() {
        WorkerProtocol protocol = new WorkerProtocol(1 << 16, 1000, 1024, 4096);
        ByteBuffer head = ByteBuffer.allocate(4).putInt(0xFFFFFFFF).flip();
        assertThat(protocol.receive(head))
                .singleElement()
                .isInstanceOfSatisfying(
                        WorkerEvent.Broken.class,
                        broken -> assertThat(broken.reason()).contains("4294967295"));
        assertThat(protocol.receive(frame(HELLO))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "42",
                "{",
                "{}",
                "{\"type\":1}",
                "{\"type\":\"hello\"} {}",
                "{\"type\":\"hello\",\"worker\":\"w\"}",
                "{\"type\":\"hello\",\"worker\":7,\"nonce\":\"n\"}",
                "{\"type\":\"ready\"}",
                "{\"type\":\"unheard_of\"}",
                "{\"type\":\"hello\",\"worker\":\"w\",\"nonce\":NaN}",
            })
    void aWrongFirstFrameBreaksTheConversation(String json) {
        WorkerProtocol protocol = new WorkerProtocol(1 << 16, 1000, 1024, 4096);
        assertThat(protocol.receive(frame(json))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
        assertThat(protocol.receive(frame(HELLO))).isEmpty();
    }

    @Test
    void bytesThatAreNotUtf8BreakTheConversation() {
        byte[] bytes = Message.frame(HELLO);
        bytes[20] = (byte) 0xC3;
        bytes[21] = (byte) 0x28;
        assertThat(new WorkerProtocol(1 << 16, 1000, 1024, 4096).receive(ByteBuffer.wrap(bytes)))
                .containsExactly(new WorkerEvent.Broken("frame is not UTF-8"));
    }

    @Test
    void anEnvelopeIsPassedOnDigitForDigit() {
        String envelope = "{\"ok\":true, \"http_status\":200,\"result\":{\"n\":0.10000000000000000001,\"big\":1e400,"
                + "\"s\":\"\\u00e9 } \\\" {\"}}";
        assertThat(busy().receive(frame(result(envelope))))
                .singleElement()
                .isInstanceOfSatisfying(WorkerEvent.Result.class, said -> {
                    assertThat(said.envelope().value()).isEqualTo(envelope);
                    assertThat(said.usage().wallMs()).isEqualTo(2);
                });
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"ok":"yes","http_status":200}
                    {"ok":true}
                    {"ok":true,"http_status":99}
                    {"ok":true,"http_status":1000}
                    {"ok":false,"http_status":500}
                    {"ok":false,"http_status":500,"error":"bad"}
                    "text"
                    null
                    """)
    void anEnvelopeOfAnotherShapeIsABreach(String envelope) {
        assertThat(busy().receive(frame(result(envelope)))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
    }

    @Test
    void anAnswerThatNobodyAskedForIsABreach() {
        assertThat(idle().receive(frame(result("{\"ok\":true,\"http_status\":200}"))))
                .singleElement()
                .isInstanceOf(WorkerEvent.Broken.class);
        String other = result("{\"ok\":true,\"http_status\":200}")
                .replace(ID.value(), ExecutionId.create().value());
        assertThat(busy().receive(frame(other))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
    }

    @Test
    void logEntriesOfAnotherExecutionAreDropped() {
        String log = "{\"type\":\"log\",\"id\":\"" + ID + "\",\"entry\":{\"event\":\"x\"}}";
        assertThat(idle().receive(frame(log))).isEmpty();
        assertThat(busy().receive(frame(log.replace(ID.value(), "exec_other")))).isEmpty();
        assertThat(busy().receive(frame(log))).hasSize(1);
    }

    /** The worker keeps its log limit itself; a worker that does not is cut here. */
    @Test
    void logsBeyondTheLimitAreNotPassedOn() {
        WorkerProtocol protocol = busy();
        String log = "{\"type\":\"log\",\"id\":\"" + ID + "\",\"entry\":{\"event\":\"" + "x".repeat(1000) + "\"}}";
        int passed = 0;
        for (int i = 0; i < 100; i++) {
            passed += protocol.receive(frame(log)).size();
        }
        assertThat(passed).isBetween(1, 7);
    }

    private static WorkerProtocol streaming() {
        WorkerProtocol protocol = idle();
        String sent = new String(
                protocol.invoke(ID, new JsonText("{}"), Map.of(), Optional.empty(), true), StandardCharsets.UTF_8);
        assertThat(sent).endsWith(",\"env\":{},\"stream\":true}");
        return protocol;
    }

    private static String chunk(String data) {
        return "{\"type\":\"chunk\",\"id\":\"" + ID + "\",\"data\":" + data + "}";
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1",
                "-0.10000000000000000001e5",
                "\"a \\\" } \\u00e9\"",
                "true",
                "null",
                "[1, {\"data\": 2}]",
                "{\"data\":{\"id\":3}}"
            })
    void aChunkIsAnyValueAndPassedOnAsItWasWritten(String data) {
        assertThat(streaming().receive(frame(chunk(data)))).containsExactly(new WorkerEvent.Chunk(new JsonText(data)));
    }

    @Test
    void aChunkThatNobodyAskedForIsABreach() {
        assertThat(busy().receive(frame(chunk("1")))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
        assertThat(idle().receive(frame(chunk("1")))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
        String other = chunk("1").replace(ID.value(), ExecutionId.create().value());
        assertThat(streaming().receive(frame(other))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
        String without = chunk("1").replace("data", "date");
        assertThat(streaming().receive(frame(without))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
    }

    @Test
    void moreInChunksThanMayBeIsABreach() {
        assertThat(streaming().receive(frame(chunk("\"" + "x".repeat(1023) + "\""))))
                .singleElement()
                .isInstanceOf(WorkerEvent.Broken.class);
        WorkerProtocol protocol = streaming();
        String largest = chunk("\"" + "x".repeat(1022) + "\"");
        for (int i = 0; i < 4; i++) {
            assertThat(protocol.receive(frame(largest))).singleElement().isInstanceOf(WorkerEvent.Chunk.class);
        }
        assertThat(protocol.receive(frame(chunk("1")))).singleElement().isInstanceOf(WorkerEvent.Broken.class);
    }

    @Test
    void aWorkerThatCannotLoadSaysWhere() {
        WorkerProtocol protocol = new WorkerProtocol(1 << 16, 1000, 1024, 4096);
        assertThat(protocol.receive(frame(HELLO))).hasSize(1);
        String failed =
                "{\"type\":\"load_failed\",\"errors\":[{\"code\":\"C\",\"message\":\"m\",\"file\":\"f.py\",\"line\":3},"
                        + "{\"code\":\"D\",\"message\":\"n\",\"file\":null,\"line\":null}]}";
        assertThat(protocol.receive(frame(failed)))
                .singleElement()
                .isInstanceOfSatisfying(WorkerEvent.LoadFailed.class, said -> {
                    assertThat(said.problems().getFirst().line()).contains(3);
                    assertThat(said.problems().getLast().file()).isEmpty();
                });
    }

    @Test
    void onlyAnIdleWorkerIsGivenWork() {
        assertThatThrownBy(() -> busy().invoke(ID, new JsonText("{}"), Map.of(), Optional.empty(), false))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anInvocationHoldsRequestAndEnvironment() {
        String sent = new String(
                idle().invoke(ID, new JsonText("{\"a\":1.0}"), Map.of("K", "v\""), Optional.empty(), false),
                StandardCharsets.UTF_8);
        assertThat(sent)
                .endsWith("{\"type\":\"invoke\",\"id\":\"" + ID
                        + "\",\"request\":{\"a\":1.0},\"env\":{\"K\":\"v\\\"\"}}");
    }
}
