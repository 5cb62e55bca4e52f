package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** Ends queued executions that do not run (any more), and puts back those whose server died. Makes entries of the journal; thread-safe. */
final class QueuedEnds {
    private static final JsonText NOTHING = new JsonText("{}");

    private final AuditCodec codec;
    private final Envelopes envelopes;
    private final Clock clock;
    private final Duration resultsKept;

    /** @param resultsKept how long the answer can be fetched */
    QueuedEnds(AuditCodec codec, Envelopes envelopes, Clock clock, Duration resultsKept) {
        this.codec = codec;
        this.envelopes = envelopes;
        this.clock = clock;
        this.resultsKept = resultsKept;
    }

    /** The policy, asked again when it was to begin, says no. */
    Closure denied(QueuedExecution queued, Decision.Deny deny) {
        ErrorCode code = Admission.denialOf(deny);
        return closure(
                queued,
                ExecutionStatus.DENIED,
                code,
                "Denied by policy when it was to begin: " + String.join("; ", deny.reasons()),
                envelopes.reasons(deny.reasons()),
                Optional.of(deny),
                List.of(
                        new AuditEvent.PolicyDecided(queued.id(), envelopes.recorded(deny)),
                        new AuditEvent.ExecutionDenied(queued.id(), code.name(), deny.reasons())));
    }

    /** What it was to run from is gone, or cannot be read. */
    Closure failed(QueuedExecution queued, ErrorCode code, String message) {
        return finished(queued, ExecutionStatus.FAILED, code, message);
    }

    /** It was stopped while it waited. */
    Closure cancelled(QueuedExecution queued) {
        return finished(
                queued, ExecutionStatus.CANCELLED, ErrorCode.CANCELLED, "It was cancelled while it was queued.");
    }

    /** Nobody was told that it is queued. */
    Closure withdrawn(QueuedExecution queued) {
        return finished(
                queued,
                ExecutionStatus.CANCELLED,
                ErrorCode.ADMISSION_UNAVAILABLE,
                "It was withdrawn: that it is queued was not heard in time, so its caller was not told.");
    }

    /** The records of {@link Admission#withdrawn}: those of the admission, and an end as that of what waited. */
    AuditEvent.OfExecution withdrawn(ExecutionId id) {
        return finished(id, ExecutionStatus.CANCELLED, ErrorCode.ADMISSION_UNAVAILABLE);
    }

    /** Its server died while it ran, and no attempt is left. */
    Closure lost(QueuedExecution queued) {
        return finished(
                queued,
                queued.attempt().numberMax() > 1 ? ExecutionStatus.DEAD_LETTER : ExecutionStatus.LOST,
                ErrorCode.EXECUTION_LOST,
                ErrorCode.EXECUTION_LOST.title());
    }

    /** Its server died while it ran, or before it did, and another attempt follows. */
    Requeue again(QueuedExecution queued, Attempt.Again again) {
        AuditChain chain = AuditChain.resume(codec, queued.auditContext(), queued.position());
        return new Requeue(
                queued.id(),
                Optional.empty(),
                again.ran(),
                again.readyAt(),
                List.of(chain.append(new AuditEvent.ExecutionAttempted(
                        queued.id(),
                        queued.attempt().number(),
                        again.ran(),
                        ExecutionStatus.LOST.wireName(),
                        envelopes.status(ErrorCode.EXECUTION_LOST),
                        ErrorCode.EXECUTION_LOST.name(),
                        Usage.NONE,
                        "",
                        again.readyAt()))),
                chain.position());
    }

    private Closure finished(QueuedExecution queued, ExecutionStatus status, ErrorCode code, String message) {
        return closure(
                queued,
                status,
                code,
                message,
                envelopes.noDetails(),
                Optional.empty(),
                List.of(finished(queued.id(), status, code)));
    }

    private AuditEvent.OfExecution finished(ExecutionId id, ExecutionStatus status, ErrorCode code) {
        return new AuditEvent.ExecutionFinished(
                id, status.wireName(), envelopes.status(code), code.name(), Optional.empty(), Usage.NONE, NOTHING, "");
    }

    private Closure closure(
            QueuedExecution queued,
            ExecutionStatus status,
            ErrorCode code,
            String message,
            ObjectNode details,
            Optional<Decision> decision,
            List<AuditEvent.OfExecution> events) {
        Instant now = clock.instant();
        JsonText envelope = envelope(queued, code, message, details);
        AuditChain chain = AuditChain.resume(codec, queued.auditContext(), queued.position());
        return new Closure(
                queued.id(),
                Optional.empty(),
                status,
                envelopes.status(code),
                code.name(),
                message,
                Optional.empty(),
                Usage.NONE,
                NOTHING,
                "",
                now,
                List.of(),
                keyEnd(queued, code, envelope),
                Optional.of(new QueueEnd(decision, envelope, now.plus(resultsKept))),
                events.stream().map(chain::append).toList(),
                chain.position());
    }

    private JsonText envelope(QueuedExecution queued, ErrorCode code, String message, ObjectNode details) {
        return envelopes.failed(
                code,
                message,
                details,
                new Envelopes.Meta(
                        Optional.of(queued.id()),
                        queued.requestId(),
                        queued.caller(queued.holder()).traceId(),
                        Optional.of(queued.snapshot()),
                        0,
                        Usage.NONE,
                        ModelsUsed.NONE,
                        NOTHING,
                        List.of()));
    }

    /** What never began leaves its key free. What was lost keeps it without an answer: it may have done its work. */
    private Optional<KeyEnd> keyEnd(QueuedExecution queued, ErrorCode code, JsonText envelope) {
        if (code == ErrorCode.EXECUTION_LOST) {
            return Optional.empty();
        }
        return queued.key()
                .map(key -> queued.attempt().number() == 1
                        ? new KeyEnd.Released(key)
                        : new KeyEnd.Answered(key, envelopes.status(code), envelope));
    }
}
