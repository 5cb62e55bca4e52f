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
     */
    record Envelope(int httpStatus, JsonText envelope, Optional<ExecutionId> execution) implements ExecutionAnswer {}

    /**
     * The plane cannot take the request now, or not at all; nothing ran.
     *
     * @param retryAfter set when trying again makes sense
     */
    record Refused(ErrorCode code, String detail, Optional<Duration> retryAfter) implements ExecutionAnswer {}
}
