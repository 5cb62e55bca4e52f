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
 * @param withdrawn whether it stands for an admission to the queue that was not heard, and is its end
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
        boolean withdrawn,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Admission {
        records = List.copyOf(records);
    }

    boolean denied() {
        return decision instanceof Decision.Deny;
    }

    /** The same as having ended without having been in the queue, with the records of that. */
    Admission withdrawn(List<AuditRecord> itsRecords, StreamPosition itsPosition) {
        return new Admission(
                id,
                caller,
                target,
                action,
                decision,
                Optional.empty(),
                Optional.empty(),
                argumentsDigest,
                timeoutMs,
                requestedAt,
                Optional.empty(),
                Optional.empty(),
                replayOf,
                Optional.empty(),
                true,
                itsRecords,
                itsPosition);
    }

    /** Whether it is the execution's end, too. */
    boolean ends() {
        return denied() || withdrawn;
    }

    ExecutionStatus status() {
        if (denied()) {
            return ExecutionStatus.DENIED;
        }
        if (withdrawn) {
            return ExecutionStatus.CANCELLED;
        }
        return queued.isPresent() ? ExecutionStatus.QUEUED : ExecutionStatus.RUNNING;
    }

    /** Whether its row has more to say than that of an execution which is run at once. */
    boolean isPlain() {
        return queued.isEmpty() && replayOf.isEmpty();
    }

    /** The code that is kept with the end; empty when it is none. */
    Optional<ErrorCode> endedBy() {
        if (decision instanceof Decision.Deny deny) {
            return Optional.of(denialOf(deny));
        }
        return withdrawn ? Optional.of(ErrorCode.ADMISSION_UNAVAILABLE) : Optional.empty();
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
