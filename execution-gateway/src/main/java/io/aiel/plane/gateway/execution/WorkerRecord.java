package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.JsonText;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.LongSupplier;

/** Collects what a worker says while it runs one execution. Thread-safe: the worker's thread writes, the closing one reads. */
final class WorkerRecord implements WorkerListener {
    private final int logLinesMax;
    private final Function<EgressEvent, CompletionStage<Boolean>> egress;
    private final LongSupplier nanoTime;
    private final List<JsonText> logs = new ArrayList<>();
    private String id = "";
    private JsonText isolation = new JsonText("{}");
    private OptionalLong startedWarmAt = OptionalLong.empty();

    /** @param egress records what the worker's connections do; true once it is durable */
    WorkerRecord(int logLinesMax, Function<EgressEvent, CompletionStage<Boolean>> egress) {
        this(logLinesMax, egress, System::nanoTime);
    }

    WorkerRecord(int logLinesMax, Function<EgressEvent, CompletionStage<Boolean>> egress, LongSupplier nanoTime) {
        this.logLinesMax = logLinesMax;
        this.egress = egress;
        this.nanoTime = nanoTime;
    }

    @Override
    public synchronized void started(String workerId, JsonText isolationFacts, boolean coldStart) {
        id = workerId;
        isolation = isolationFacts;
        startedWarmAt = coldStart ? OptionalLong.empty() : OptionalLong.of(nanoTime.getAsLong());
    }

    @Override
    public synchronized void log(JsonText entry) {
        if (logs.size() < logLinesMax) {
            logs.add(entry);
        }
    }

    @Override
    public CompletionStage<Boolean> egress(EgressEvent event) {
        return egress.apply(event);
    }

    synchronized String id() {
        return id;
    }

    /** When a worker that was warm got the request, by {@link System#nanoTime}; empty when none was, or none was got. */
    synchronized OptionalLong startedWarmAt() {
        return startedWarmAt;
    }

    synchronized JsonText isolation() {
        return isolation;
    }

    synchronized List<JsonText> logs() {
        return List.copyOf(logs);
    }
}
