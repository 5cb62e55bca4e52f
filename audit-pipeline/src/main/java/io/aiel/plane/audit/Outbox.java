package io.aiel.plane.audit;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.util.List;

/** Where records wait, written in the same transaction as what they record. Thread-safe. */
public interface Outbox {
    /** Writes the records with one multi-row statement inside the caller's transaction. */
    Uni<Void> append(SqlConnection transaction, List<AuditRecord> records);

    /** To be called after the commit: wakes the relay at once. Never blocks. */
    void committed();

    /** How full the backlog is, 0 to 1 of its budget; what the gateway refuses new work by. */
    double fill();
}
