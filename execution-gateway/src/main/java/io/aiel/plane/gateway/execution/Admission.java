package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is written before a worker gets a request or the queue does, or instead of that when the policy denies it.
 *
 * @param idempotencyKey the key that came with the request
 * @param claim of that key; the admission takes effect only when the key is free. A denial claims none
 * @param queued set when it is only queued now
 * @param kept the input, when it is to be kept
 * @param replayOf the execution whose input it runs again
 * @param scheduled the run of a schedule that it is
 * @param records the audit records up to here, in order
 * @param position where the audit stream stands after them
 */
record Admission(
        ExecutionId id,
        Caller caller,
        ResolvedCapability target,
        String action,
        Decision decision,
        Optional<String> idempotencyKey,
        Optional<IdempotencyClaim> claim,
        Digest argumentsDigest,
        int timeoutMs,
        Instant requestedAt,
        Optional<QueuedWork> queued,
        Optional<KeptInput> kept,
        Optional<ExecutionId> replayOf,
        Optional<ScheduledRun> scheduled,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Admission {
        records = List.copyOf(records);
    }

    boolean denied() {
        return decision instanceof Decision.Deny;
    }

    ExecutionStatus status() {
        if (denied()) {
            return ExecutionStatus.DENIED;
        }
        return queued.isPresent() ? ExecutionStatus.QUEUED : ExecutionStatus.RUNNING;
    }

    /** Whether its row has more to say than that of an execution which is run at once. */
    boolean isPlain() {
        return queued.isEmpty() && replayOf.isEmpty();
    }

    /** The code that a denial is answered with, and so is kept under; empty when it is none. */
    Optional<ErrorCode> denial() {
        return decision instanceof Decision.Deny deny ? Optional.of(denialOf(deny)) : Optional.empty();
    }

    /** A policy that could not decide is worth another try; one that decided is not. */
    static ErrorCode denialOf(Decision.Deny deny) {
        return deny.undecided() ? ErrorCode.POLICY_UNAVAILABLE : ErrorCode.POLICY_DENIED;
    }

    @Nullable
    String capabilityKind() {
        return target.capability()
                .map(Capability::ref)
                .map(ref -> ref.kind().wireName())
                .orElse(null);
    }

    @Nullable
    String capabilityName() {
        return target.capability().map(Capability::ref).map(ref -> ref.name()).orElse(null);
    }
}
