package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.Optional;

/** What a caller is told. */
public sealed interface ExecutionAnswer {
    /**
     * An execution envelope; the HTTP status is its {@code http_status}.
     *
     * @param execution empty when the request was refused as invalid before it became an execution
     * @param retryAfter set when it did not run for want of a worker
     */
    record Envelope(int httpStatus, JsonText envelope, Optional<ExecutionId> execution, Optional<Duration> retryAfter)
            implements ExecutionAnswer {}

    /**
     * The same answer as before: the request came with an idempotency key that this execution was run for.
     */
    record Replayed(int httpStatus, JsonText envelope, ExecutionId execution) implements ExecutionAnswer {}

    /** The execution that runs under the request's idempotency key has not ended. */
    record InProgress(ExecutionId execution) implements ExecutionAnswer {}

    /**
     * It is in the queue.
     *
     * @param again whether it was there before: the request came with an idempotency key that this execution was queued or run for
     */
    record Queued(ExecutionId execution, boolean again) implements ExecutionAnswer {}

    /**
     * The plane cannot take the request now, or not at all; nothing ran.
     *
     * @param retryAfter set when trying again makes sense
     */
    record Refused(ErrorCode code, String detail, Optional<Duration> retryAfter) implements ExecutionAnswer {}
}
