package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is written before a worker gets a request, or instead of that when the policy denies it.
 *
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
        Digest argumentsDigest,
        int timeoutMs,
        Instant requestedAt,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Admission {
        records = List.copyOf(records);
    }

    boolean denied() {
        return decision instanceof Decision.Deny;
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
