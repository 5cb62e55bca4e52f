package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * One execution on its way through {@link ExecutionService}, from the decision on.
 *
 * @param attempt set when it was queued and is begun now
 */
record Run(
        ExecutionId id,
        Caller caller,
        RunnerRequest request,
        ResolvedCapability target,
        Decision decision,
        Digest argumentsDigest,
        Optional<Attempt> attempt,
        Instant requestedAt,
        long startedNanos) {
    Optional<IdempotencyKey> key() {
        return request.idempotencyKey()
                .map(text -> new IdempotencyKey(
                        caller.scope().project(), caller.principal().id(), text));
    }

    /** Not by the clock, which may be set while it runs. */
    Duration elapsed() {
        return Duration.ofNanos(System.nanoTime() - startedNanos);
    }

    /** What the envelope calls the request: the caller's own name for it, if the request has one. */
    String requestId() {
        return request.requestId().orElse(caller.requestId());
    }

    AuditContext auditContext() {
        return new AuditContext(
                caller.scope().tenant(),
                Optional.of(caller.scope().workspace()),
                Optional.of(caller.scope().project()),
                Optional.of(caller.principal().id()),
                caller.requestId(),
                caller.traceparent());
    }
}
