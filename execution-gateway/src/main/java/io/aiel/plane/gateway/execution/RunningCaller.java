package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.opentelemetry.context.Context;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;

/** An execution that a worker runs now, for what its code asks. Thread-safe. */
final class RunningCaller implements CallingExecution {
    private static final CompletionStage<Boolean> GO_ON = CompletableFuture.completedStage(true);

    private final ExecutionId id;
    private final Context trace;
    private final ExecutionTrail trail;
    private final WorkerRecord worker;
    private final Optional<ExecutionStream> stream;
    private final long streamCharsMax;
    private final AtomicLong streamed = new AtomicLong();

    /**
     * @param trace the span of its run
     * @param stream whoever takes what it gives as it comes
     * @param streamCharsMax so much is passed on to that reader
     */
    RunningCaller(
            ExecutionId id,
            Context trace,
            ExecutionTrail trail,
            WorkerRecord worker,
            Optional<ExecutionStream> stream,
            long streamCharsMax) {
        this.id = id;
        this.trace = trace;
        this.trail = trail;
        this.worker = worker;
        this.stream = stream;
        this.streamCharsMax = streamCharsMax;
    }

    @Override
    public ExecutionId id() {
        return id;
    }

    @Override
    public Context trace() {
        return trace;
    }

    @Override
    public CompletionStage<Boolean> record(AuditEvent.OfExecution event) {
        return trail.record(event);
    }

    @Override
    public void used(String model, ModelUse use) {
        worker.used(model, use);
    }

    @Override
    public CompletionStage<Boolean> delta(JsonText piece) {
        if (stream.isEmpty()) {
            return GO_ON;
        }
        if (streamed.addAndGet(piece.value().length()) > streamCharsMax) {
            return CompletableFuture.completedStage(false);
        }
        return stream.get().delta(piece).thenApply(_ -> true);
    }
}
