package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What is written once an execution has ended. Takes effect only when it was still running or queued, so that there is exactly one
 * terminal record whoever closes it.
 *
 * @param begunBy the decision that the attempt was begun by whose end this is: takes effect only while that one is under way, whoever
 *     began another since. Empty for the end of what nobody runs
 * @param logs the log entries, in order
 * @param keyEnd what becomes of the idempotency key, if it came with one
 * @param queueEnd what becomes of its work in the queue, if it was queued
 */
record Closure(
        ExecutionId id,
        Optional<DecisionId> begunBy,
        ExecutionStatus status,
        int httpStatus,
        String errorCode,
        String errorMessage,
        Optional<Digest> resultDigest,
        Usage usage,
        JsonText isolation,
        String worker,
        Instant finishedAt,
        List<JsonText> logs,
        Optional<KeyEnd> keyEnd,
        Optional<QueueEnd> queueEnd,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Closure {
        logs = List.copyOf(logs);
        records = List.copyOf(records);
    }
}
