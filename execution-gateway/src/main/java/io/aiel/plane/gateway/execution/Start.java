package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ExecutionId;
import java.time.Instant;
import java.util.List;

/**
 * What is written before a worker gets a queued request. Takes effect only when the execution is still queued, this start of this server
 * holds its claim, and its stream stands where these records continue from: so of all who might begin it one does.
 *
 * @param decision of now, in place of the one that it was queued by
 * @param holdsUpOthers until it is on record nothing else out of the queue can begin
 */
record Start(
        ExecutionId id,
        Decision.Allow decision,
        Instant startedAt,
        boolean holdsUpOthers,
        List<AuditRecord> records,
        StreamPosition position)
        implements JournalEntry {
    Start {
        records = List.copyOf(records);
    }
}
