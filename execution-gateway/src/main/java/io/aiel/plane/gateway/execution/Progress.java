package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.ExecutionId;
import java.util.List;

/**
 * What is recorded of an execution while it runs. Takes effect only when it is still running and its stream stands where these
 * records continue from, so that a stream has no gap and no fork whoever else writes to it.
 *
 * @param position where the audit stream stands after the records
 */
record Progress(ExecutionId id, List<AuditRecord> records, StreamPosition position) implements JournalEntry {
    Progress {
        records = List.copyOf(records);
    }
}
