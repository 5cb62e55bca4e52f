package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Takes the pieces of a streamed answer as they come. Thread-safe; does not block. */
@FunctionalInterface
interface Deltas {
    /** Nobody wants them before the answer is whole. */
    Deltas NOBODY = _ -> CompletableFuture.completedStage(true);

    /** Takes the next; completes when there is room for another, with false when no more are taken. */
    CompletionStage<Boolean> take(JsonNode piece);
}
