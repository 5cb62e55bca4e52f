package io.aiel.plane.hydrator.protocol;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of the conversation with one worker: hello, then ready or load_failed, then one invoke at a time. Log
 * entries of another execution than the running one are dropped, an answer to another is a breach, and so is a chunk that nobody asked
 * for. Does no I/O; used by the one thread that owns the connection.
 */
public final class WorkerProtocol {
    private static final int PROBLEMS_MAX = 100;

    private enum State {
        AWAIT_HELLO,
        AWAIT_READY,
        IDLE,
        BUSY,
        ENDED
    }

    private final FrameDecoder decoder;
    private final int logBytesMax;
    private final int chunkBytesMax;
    private final long streamBytesMax;
    private State state = State.AWAIT_HELLO;
    private @Nullable ExecutionId running;
    private boolean streamed;
    private long logBytes;
    private long streamBytes;

    /**
     * The worker keeps these limits itself; here they hold when it does not.
     *
     * @param logBytesMax how many bytes of log entries of one execution are passed on
     * @param chunkBytesMax the largest chunk
     * @param streamBytesMax all chunks of one execution
     */
    public WorkerProtocol(int frameBytesMax, int logBytesMax, int chunkBytesMax, long streamBytesMax) {
        this.decoder = new FrameDecoder(frameBytesMax);
        this.logBytesMax = logBytesMax;
        this.chunkBytesMax = chunkBytesMax;
        this.streamBytesMax = streamBytesMax;
    }

    /** What these bytes say. After {@link WorkerEvent.Broken} or {@link WorkerEvent.LoadFailed} always nothing. */
    public List<WorkerEvent> receive(ByteBuffer received) {
        List<WorkerEvent> events = new ArrayList<>(1);
        if (state == State.ENDED) {
            return events;
        }
        try {
            decoder.feed(received, frame -> {
                if (state != State.ENDED) {
                    event(Message.parse(frame)).ifPresent(events::add);
                }
            });
        } catch (ProtocolViolation e) {
            state = State.ENDED;
            events.add(new WorkerEvent.Broken(String.valueOf(e.getMessage())));
        }
        return events;
    }

    /**
     * The frame that hands an execution over; throws {@link IllegalStateException} unless the worker is idle.
     *
     * @param credentials the file in which the published clients look for a profile; empty for none
     * @param stream whether what it yields is wanted as it comes
     */
    public byte[] invoke(
            ExecutionId id,
            JsonText request,
            Map<String, String> environment,
            Optional<JsonText> credentials,
            boolean stream) {
        if (state != State.IDLE) {
            throw new IllegalStateException("the worker is not idle");
        }
        state = State.BUSY;
        running = id;
        streamed = stream;
        logBytes = 0;
        streamBytes = 0;
        String env = Message.JSON.valueToTree(environment).toString();
        return Message.frame("{\"type\":\"invoke\",\"id\":\"" + id.value() + "\",\"request\":" + request.value()
                + ",\"env\":" + env
                + credentials.map(file -> ",\"credentials\":" + file.value()).orElse("")
                + (stream ? ",\"stream\":true}" : "}"));
    }

    /** The frame that asks for the end of an execution. */
    public static byte[] cancel(ExecutionId id) {
        return Message.frame(
                Message.JSON.createObjectNode().put("type", "cancel").put("id", id.value()));
    }

    private Optional<WorkerEvent> event(Message message) throws ProtocolViolation {
        return switch (state) {
            case AWAIT_HELLO -> {
                expect(message, "hello");
                state = State.AWAIT_READY;
                yield Optional.of(new WorkerEvent.Hello(message.text("worker"), message.text("nonce")));
            }
            case AWAIT_READY -> Optional.of(loaded(message));
            case IDLE -> {
                // A thread that user code left behind may still log; an answer nobody asked for is forged.
                expect(message, "log");
                yield Optional.empty();
            }
            case BUSY -> running(message);
            case ENDED -> Optional.empty();
        };
    }

    private WorkerEvent loaded(Message message) throws ProtocolViolation {
        if (message.type().equals("load_failed")) {
            state = State.ENDED;
            return new WorkerEvent.LoadFailed(problems(message.node("errors")));
        }
        expect(message, "ready");
        state = State.IDLE;
        return new WorkerEvent.Ready(
                message.object("describe"),
                message.array("exports"),
                message.text("snapshot_id"),
                message.text("sdk_version"),
                message.text("runtime_version"),
                message.number("load_ms"));
    }

    private Optional<WorkerEvent> running(Message message) throws ProtocolViolation {
        ExecutionId id = running;
        boolean current = id != null && message.optionalText("id").equals(Optional.of(id.value()));
        if (message.type().equals("log")) {
            JsonText entry = message.object("entry");
            logBytes += entry.value().length();
            // Twice the limit: the worker counts other bytes than these and says in a last entry that it stopped.
            return current && logBytes <= 2L * logBytesMax + 4096
                    ? Optional.of(new WorkerEvent.Log(entry))
                    : Optional.empty();
        }
        if (message.type().equals("chunk") && streamed && current) {
            return Optional.of(chunk(message));
        }
        expect(message, "result");
        if (!current) {
            throw new ProtocolViolation("a result for an execution that does not run");
        }
        WorkerEvent result = result(message);
        state = State.IDLE;
        running = null;
        return Optional.of(result);
    }

    private WorkerEvent chunk(Message message) throws ProtocolViolation {
        JsonText data = message.data();
        int length = data.value().length();
        streamBytes += length;
        if (length > chunkBytesMax || streamBytes > streamBytesMax) {
            throw new ProtocolViolation("more in chunks than may be");
        }
        return new WorkerEvent.Chunk(data);
    }

    private static WorkerEvent result(Message message) throws ProtocolViolation {
        JsonText envelope = message.object("envelope");
        Message content = message.envelope();
        boolean ok = content.flag("ok");
        long status = content.number("http_status");
        if (status < 100 || status > 599) {
            throw new ProtocolViolation("an envelope with http_status " + status);
        }
        String code = "";
        if (!ok) {
            JsonNode error = content.node("error").path("code");
            if (!error.isTextual()) {
                throw new ProtocolViolation("an envelope that is neither ok nor has an error code");
            }
            code = error.textValue();
        }
        JsonNode usage = message.node("usage");
        return new WorkerEvent.Result(
                envelope,
                ok,
                (int) status,
                code,
                new Usage(amount(usage, "cpu_ms"), amount(usage, "wall_ms"), amount(usage, "max_rss_bytes")),
                message.flag("tainted"));
    }

    private static long amount(JsonNode usage, String name) {
        return Math.max(0, usage.path(name).asLong(0));
    }

    private static List<WorkerEvent.Problem> problems(JsonNode errors) throws ProtocolViolation {
        List<WorkerEvent.Problem> problems = new ArrayList<>();
        for (JsonNode error : errors) {
            if (problems.size() == PROBLEMS_MAX) {
                break;
            }
            JsonNode line = error.path("line");
            problems.add(new WorkerEvent.Problem(
                    error.path("code").asText("LOAD_FAILED"),
                    error.path("message").asText("the snapshot cannot be loaded"),
                    Optional.ofNullable(error.path("file").textValue()),
                    line.canConvertToInt() && line.isIntegralNumber()
                            ? Optional.of(line.intValue())
                            : Optional.empty()));
        }
        if (problems.isEmpty()) {
            throw new ProtocolViolation("load_failed without errors");
        }
        return problems;
    }

    private static void expect(Message message, String type) throws ProtocolViolation {
        if (!message.type().equals(type)) {
            throw new ProtocolViolation("expected '" + type + "', got '" + message.type() + "'");
        }
    }
}
