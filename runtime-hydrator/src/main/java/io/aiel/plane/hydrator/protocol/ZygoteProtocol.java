package io.aiel.plane.hydrator.protocol;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The server's side of the conversation with one zygote. Holds it to the order: hello first and once, {@code spawned} only for
 * what was asked, {@code exited} once for each {@code spawned}. Thread-safe; does no I/O.
 */
public final class ZygoteProtocol {
    private enum State {
        AWAIT_HELLO,
        SERVING,
        ENDED
    }

    private final FrameDecoder decoder;
    private final Set<String> asked = new HashSet<>();
    private final Set<String> living = new HashSet<>();
    private State state = State.AWAIT_HELLO;

    public ZygoteProtocol(int frameBytesMax) {
        this.decoder = new FrameDecoder(frameBytesMax);
    }

    /** What these bytes say. After {@link ZygoteEvent.Broken} or {@link ZygoteEvent.StartFailed} always nothing. */
    public synchronized List<ZygoteEvent> receive(ByteBuffer received) {
        List<ZygoteEvent> events = new ArrayList<>(1);
        if (state == State.ENDED) {
            return events;
        }
        try {
            decoder.feed(received, frame -> {
                if (state != State.ENDED) {
                    events.add(event(Message.parse(frame)));
                }
            });
        } catch (ProtocolViolation e) {
            state = State.ENDED;
            events.add(new ZygoteEvent.Broken(String.valueOf(e.getMessage())));
        }
        return events;
    }

    /** The frame that asks for a worker. {@code snapshotId} tells that the files were validated under that id;
     * {@code egressNonce} is empty for a worker without a network. */
    public synchronized byte[] spawn(
            String worker,
            String nonce,
            String egressNonce,
            String snapshot,
            int slot,
            String profile,
            WorkerLimits limits,
            String snapshotId) {
        asked.add(worker);
        ObjectNode message = Message.JSON.createObjectNode();
        message.put("type", "spawn");
        message.put("worker", worker);
        message.put("nonce", nonce);
        message.put("snapshot", snapshot);
        message.put("slot", slot);
        message.putObject("limits")
                .put("memory_bytes", limits.memoryBytes())
                .put("pids", limits.pids())
                .put("cpu_seconds", limits.cpuSeconds())
                .put("file_bytes", limits.fileBytes())
                .put("open_files", limits.openFiles())
                .put("tmp_bytes", limits.tmpBytes())
                .put("result_bytes", limits.resultBytes())
                .put("log_bytes", limits.logBytes())
                .put("frame_bytes_max", limits.frameBytesMax())
                .put("chunk_bytes", limits.chunkBytes())
                .put("stream_bytes", limits.streamBytes());
        message.put("profile", profile);
        if (!egressNonce.isEmpty()) {
            message.put("egress_nonce", egressNonce);
        }
        if (!snapshotId.isEmpty()) {
            message.putObject("verdict").put("snapshot_id", snapshotId);
        }
        return Message.frame(message);
    }

    /** The frame that kills a worker. */
    public static byte[] kill(String worker) {
        return Message.frame(Message.JSON.createObjectNode().put("type", "kill").put("worker", worker));
    }

    /** The frame that asks for a sign of life. */
    public static byte[] ping() {
        return Message.frame(Message.JSON.createObjectNode().put("type", "ping"));
    }

    /** The frame that ends the zygote and its workers. */
    public static byte[] stop() {
        return Message.frame(Message.JSON.createObjectNode().put("type", "stop"));
    }

    private ZygoteEvent event(Message message) throws ProtocolViolation {
        String type = message.type();
        if (state == State.AWAIT_HELLO) {
            return switch (type) {
                case "hello" -> hello(message);
                case "start_failed" -> {
                    state = State.ENDED;
                    yield new ZygoteEvent.StartFailed(message.text("reason"));
                }
                default -> throw new ProtocolViolation("expected hello or start_failed first, got '" + type + "'");
            };
        }
        return switch (type) {
            case "pong" -> new ZygoteEvent.Pong();
            case "spawned" -> {
                String worker = message.text("worker");
                if (!asked.remove(worker)) {
                    throw new ProtocolViolation("spawned a worker that was not asked for");
                }
                living.add(worker);
                yield new ZygoteEvent.Spawned(worker, message.number("pid"));
            }
            case "spawn_failed" -> {
                String worker = message.text("worker");
                if (!asked.remove(worker)) {
                    throw new ProtocolViolation("failed to spawn a worker that was not asked for");
                }
                yield new ZygoteEvent.SpawnFailed(worker, message.text("reason"));
            }
            case "exited" -> {
                String worker = message.text("worker");
                if (!living.remove(worker)) {
                    throw new ProtocolViolation("a worker exited that did not live");
                }
                yield new ZygoteEvent.Exited(
                        worker,
                        message.optionalInt("exit_code"),
                        message.optionalInt("signal"),
                        message.flag("memory_limit_hit"),
                        message.flag("process_limit_hit"),
                        message.flag("cpu_limit_hit"),
                        message.number("cpu_ms"),
                        message.number("max_rss_bytes"));
            }
            default -> throw new ProtocolViolation("unexpected frame '" + type + "' from the zygote");
        };
    }

    private ZygoteEvent hello(Message message) throws ProtocolViolation {
        long version = message.number("protocol");
        if (version != 1) {
            throw new ProtocolViolation("the zygote speaks protocol " + version + ", this server speaks 1");
        }
        state = State.SERVING;
        return new ZygoteEvent.Hello(
                message.text("tier"),
                message.object("isolation"),
                message.text("python"),
                message.text("sdk_version"),
                message.text("runtime_version"),
                message.number("pid"));
    }
}
