package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import java.util.List;

/** One thing that must be durable before the caller goes on. */
sealed interface JournalEntry permits Admission, Progress, Start, Requeue, Closure {
    /** The audit records that go with it, in order. */
    List<AuditRecord> records();
}
