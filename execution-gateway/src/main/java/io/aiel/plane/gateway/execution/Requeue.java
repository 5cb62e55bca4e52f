package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.ExecutionId;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What is written when an attempt is over and another is to follow. Takes effect only when the execution is still running and its stream
 * stands where these records continue from.
 *
 * @param begunBy the decision that the attempt was begun by: takes effect only while that one is under way, whoever began another since.
 *     Empty for one that runs nowhere any more
 * @param ran whether it may have run; if not, the attempt is not counted
 * @param readyAt before then the next attempt does not begin
 */
record Requeue(
        ExecutionId id,
        Optional<DecisionId> begunBy,
        boolean ran,
        Instant readyAt,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Requeue {
        records = List.copyOf(records);
    }
}
