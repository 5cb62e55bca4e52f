package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.opentelemetry.context.Context;
import java.util.concurrent.CompletionStage;

/**
 * A running execution whose code asks the plane for something, as whoever does that sees it: where it is to be recorded, traced, counted and
 * shown. The code itself can reach none of this. Thread-safe; does not block.
 */
public interface CallingExecution {
    /** Which one it is. */
    ExecutionId id();

    /** The span that those of its calls are children of. */
    Context trace();

    /** Puts it on the execution's record; true once it is durable, false when it will not be before the end, or never. */
    CompletionStage<Boolean> record(AuditEvent.OfExecution event);

    /**
     * A model was called for it. Counts until the execution's code has ended.
     *
     * @param model its name; empty when there is none that can be shown
     */
    void used(String model, ModelUse use);

    /**
     * Passes a piece of an answer on to whoever streams the execution; dropped when nobody does. Completes when there is room for another, with false
     * when no more of them may be sent.
     */
    CompletionStage<Boolean> delta(JsonText piece);
}
