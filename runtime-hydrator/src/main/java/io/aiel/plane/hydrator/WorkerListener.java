package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.JsonText;

/** Told what a worker does while it runs; called in order on the worker's own thread, must not block. */
public interface WorkerListener {
    /** A worker has the request; with the isolation it runs under and whether this is its first call. */
    void started(String workerId, JsonText isolation, boolean coldStart);

    /** One log entry, as the wire contract has them. */
    void log(JsonText entry);
}
