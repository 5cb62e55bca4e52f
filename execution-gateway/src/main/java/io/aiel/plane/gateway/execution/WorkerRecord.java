package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.LongSupplier;

/**
 * Collects what a worker says while it runs one execution, and what models its code used. Thread-safe: the worker's thread and those of calls write,
 * the closing one reads.
 */
final class WorkerRecord implements WorkerListener {
    private static final int MODEL_NAMES_MAX = 16;

    private final int logLinesMax;
    private final Function<EgressEvent, CompletionStage<Boolean>> egress;
    private final LongSupplier nanoTime;
    private final List<JsonText> logs = new ArrayList<>();
    private String id = "";
    private JsonText isolation = new JsonText("{}");
    private OptionalLong startedWarmAt = OptionalLong.empty();
    private ModelUse models = ModelUse.NONE;
    private final Set<String> modelNames = new LinkedHashSet<>();

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

    /** A model was called. */
    synchronized void used(String model, ModelUse use) {
        models = models.plus(use);
        if (!model.isEmpty() && modelNames.size() < MODEL_NAMES_MAX) {
            modelNames.add(model);
        }
    }

    synchronized ModelsUsed models() {
        return new ModelsUsed(models, List.copyOf(modelNames));
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
