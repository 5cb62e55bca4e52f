package io.aiel.plane.hydrator.protocol;

import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.util.List;
import java.util.Optional;

/** What a worker said. Workers run foreign code: all of it is untrusted, well-formed at most. */
public sealed interface WorkerEvent {
    /** The first frame: who it claims to be. Whether the nonce is right is for the caller to say. */
    record Hello(String worker, String nonce) implements WorkerEvent {}

    /** The snapshot is loaded and its contracts hold. */
    record Ready(
            JsonText describe,
            JsonText exports,
            String snapshotId,
            String sdkVersion,
            String runtimeVersion,
            long loadMs)
            implements WorkerEvent {}

    /** The snapshot cannot be loaded; at least one problem. */
    record LoadFailed(List<Problem> problems) implements WorkerEvent {
        public LoadFailed {
            problems = List.copyOf(problems);
        }
    }

    /**
     * One reason why a snapshot cannot be loaded.
     *
     * @param line from 1
     */
    record Problem(String code, String message, Optional<String> file, Optional<Integer> line) {}

    /** One log entry of the running execution. */
    record Log(JsonText entry) implements WorkerEvent {}

    /**
     * One value that the running execution yielded, to one who takes them as they come.
     *
     * @param data any JSON value
     */
    record Chunk(JsonText data) implements WorkerEvent {}

    /**
     * The running execution's answer.
     *
     * @param errorCode empty text when ok
     * @param tainted the worker must not be used again
     */
    record Result(JsonText envelope, boolean ok, int httpStatus, String errorCode, Usage usage, boolean tainted)
            implements WorkerEvent {}

    /** The worker broke the protocol; nothing more comes from this machine. */
    record Broken(String reason) implements WorkerEvent {}
}
