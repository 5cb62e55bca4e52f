package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.JsonText;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Told what a worker does while it runs; called in order on the worker's own thread, must not block. */
public interface WorkerListener {
    /** A worker has the request; with the isolation it runs under and whether this is its first call. */
    void started(String workerId, JsonText isolation, boolean coldStart);

    /**
     * A connection of the worker to the outside is allowed, refused or over. Called on other threads too. True once it is durable: a
     * connection whose permission is not, is not made. A listener that records nothing lets nothing out.
     */
    default CompletionStage<Boolean> egress(EgressEvent event) {
        return CompletableFuture.completedFuture(false);
    }

    /** One log entry, as the wire contract has them. */
    void log(JsonText entry);

    /** Whether the values that a generator yields are wanted as they come; else they are in its result. The same each time. */
    default boolean takesChunks() {
        return false;
    }

    /**
     * One value that a generator yielded. Nothing more is read from the worker, which then comes to wait, until the stage completes: so
     * slow readers slow the worker and need no memory. It is not waited for any longer, and no more chunks come, when the execution is
     * cancelled or its end decided.
     */
    default CompletionStage<Void> chunk(JsonText data) {
        return CompletableFuture.completedFuture(null);
    }
}
