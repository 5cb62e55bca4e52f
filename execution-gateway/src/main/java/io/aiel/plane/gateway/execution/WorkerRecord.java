package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.JsonText;
import java.util.ArrayList;
import java.util.List;

/** Collects what a worker says while it runs one execution. Thread-safe: the worker's thread writes, the closing one reads. */
final class WorkerRecord implements WorkerListener {
    private final int logLinesMax;
    private final List<JsonText> logs = new ArrayList<>();
    private String id = "";
    private JsonText isolation = new JsonText("{}");

    WorkerRecord(int logLinesMax) {
        this.logLinesMax = logLinesMax;
    }

    @Override
    public synchronized void started(String workerId, JsonText isolationFacts, boolean coldStart) {
        id = workerId;
        isolation = isolationFacts;
    }

    @Override
    public synchronized void log(JsonText entry) {
        if (logs.size() < logLinesMax) {
            logs.add(entry);
        }
    }

    synchronized String id() {
        return id;
    }

    synchronized JsonText isolation() {
        return isolation;
    }

    synchronized List<JsonText> logs() {
        return List.copyOf(logs);
    }
}
