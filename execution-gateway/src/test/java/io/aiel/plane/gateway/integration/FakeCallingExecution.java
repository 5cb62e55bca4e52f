package io.aiel.plane.gateway.integration;

import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.gateway.execution.CallingExecution;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.opentelemetry.context.Context;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;

/** An execution that keeps what its calls leave behind. */
final class FakeCallingExecution implements CallingExecution {
    final List<AuditEvent> recorded = new CopyOnWriteArrayList<>();
    final List<String> used = new CopyOnWriteArrayList<>();
    final List<String> deltas = new CopyOnWriteArrayList<>();
    private final ExecutionId id = ExecutionId.create();

    @Override
    public ExecutionId id() {
        return id;
    }

    @Override
    public Context trace() {
        return Context.root();
    }

    @Override
    public CompletionStage<Boolean> record(AuditEvent.OfExecution event) {
        recorded.add(event);
        return CompletableFuture.completedStage(true);
    }

    @Override
    public void used(String model, ModelUse use) {
        used.add(model + " " + use.totalTokens());
    }

    @Override
    public CompletionStage<Boolean> delta(JsonText piece) {
        deltas.add(piece.value());
        return CompletableFuture.completedStage(true);
    }
}
