package io.aiel.plane.hydrator.protocol;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a worker sends: always events, however the bytes are cut, and nothing after a breach. */
public final class WorkerProtocolFuzz {
    private static final String HELLO = "{\"type\":\"hello\",\"worker\":\"w1\",\"nonce\":\"n\"}";
    private static final String READY = "{\"type\":\"ready\",\"describe\":{},\"exports\":[],\"snapshot_id\":\"s\","
            + "\"sdk_version\":\"1\",\"runtime_version\":\"2\",\"load_ms\":3}";
    private static final ExecutionId ID = new ExecutionId("exec_" + "0".repeat(31) + "1");
    private static final int FRAME_MAX = 1 << 16;

    private WorkerProtocolFuzz() {}

    /**
     * The first byte says how far the conversation is (nothing said, loaded, busy), whether chunks are wanted, and whether the rest is a stream of bytes or
     * texts with NULs between that are framed here, so that what is within frames is reached too.
     */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) {
            return;
        }
        int stage = input[0] & 3;
        boolean streamed = (input[0] & 8) != 0;
        byte[] rest = new byte[input.length - 1];
        System.arraycopy(input, 1, rest, 0, rest.length);
        byte[] stream = (input[0] & 4) == 0 ? rest : framed(rest);
        List<WorkerEvent> whole = machine(stage, streamed).receive(ByteBuffer.wrap(stream));
        WorkerProtocol machine = machine(stage, streamed);
        List<WorkerEvent> byteByByte = new ArrayList<>();
        for (byte one : stream) {
            byteByByte.addAll(machine.receive(ByteBuffer.wrap(new byte[] {one})));
        }
        require(whole.equals(byteByByte), "where the stream is cut changes what it says");
        for (int i = 0; i < whole.size(); i++) {
            check(whole.get(i), i == whole.size() - 1);
        }
        boolean broken = !whole.isEmpty() && whole.getLast() instanceof WorkerEvent.Broken;
        require(
                !broken
                        || machine.receive(ByteBuffer.wrap(Message.frame(HELLO)))
                                .isEmpty(),
                "a broken conversation says no more");
    }

    private static void check(WorkerEvent event, boolean last) {
        switch (event) {
            case WorkerEvent.Broken broken -> require(last && !broken.reason().isBlank(), "a breach is the last event");
            case WorkerEvent.LoadFailed failed ->
                require(
                        last
                                && !failed.problems().isEmpty()
                                && failed.problems().size() <= 100,
                        "few problems, and some");
            case WorkerEvent.Result result -> {
                require(result.httpStatus() >= 100 && result.httpStatus() <= 599, "a status that HTTP has");
                require(result.ok() == result.errorCode().isEmpty() || !result.ok(), "an error of a success");
                require(result.usage().cpuMs() >= 0 && result.usage().wallMs() >= 0, "time does not run back");
                require(result.envelope().value().startsWith("{"), "an envelope is an object");
            }
            case WorkerEvent.Ready ready -> {
                require(ready.describe().value().startsWith("{"), "describe is an object");
                require(ready.exports().value().startsWith("["), "exports are an array");
            }
            case WorkerEvent.Chunk chunk ->
                require(chunk.data().value().length() <= 1024, "no chunk is larger than may be");
            case WorkerEvent.Log log -> require(log.entry().value().startsWith("{"), "a log entry is an object");
            case WorkerEvent.Hello _ -> {}
        }
    }

    private static WorkerProtocol machine(int stage, boolean streamed) {
        WorkerProtocol machine = new WorkerProtocol(FRAME_MAX, 1000, 1024, 4096);
        if (stage >= 1) {
            machine.receive(ByteBuffer.wrap(Message.frame(HELLO)));
        }
        if (stage >= 2) {
            machine.receive(ByteBuffer.wrap(Message.frame(READY)));
        }
        if (stage >= 3) {
            require(machine.invoke(ID, new JsonText("{}"), Map.of(), Optional.empty(), streamed).length > 0, "a frame");
        }
        return machine;
    }

    private static byte[] framed(byte[] texts) {
        ByteBuffer stream = ByteBuffer.allocate(texts.length * 5 + 4);
        for (String text : new String(texts, StandardCharsets.ISO_8859_1).split("\0", -1)) {
            byte[] body = text.getBytes(StandardCharsets.ISO_8859_1);
            stream.putInt(body.length).put(body);
        }
        byte[] all = new byte[stream.position()];
        stream.flip().get(all);
        return all;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
