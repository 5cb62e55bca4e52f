package io.aiel.plane.audit;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where records wait, written in the same transaction as what they record. Thread-safe. */
public interface Outbox {
    /** Writes the records with one multi-row statement inside the caller's transaction. */
    Uni<Void> append(SqlConnection transaction, List<AuditRecord> records);

    /**
     * An insert as a part of the caller's own statement.
     *
     * @param sql with array parameters
     * @param parameters their values, in order
     */
    record Insert(String sql, List<Object> parameters) {
        public Insert {
            parameters = List.copyOf(parameters);
        }
    }

    /**
     * What writes records as a part of a statement that does more. The caller runs it, and then tells by {@link #committed(List)} which
     * of them it wrote.
     *
     * @param parts a number for each record, or null, for the condition
     * @param condition SQL that says which records are written, where {@code r.part} is a record's number
     * @param firstParameter the number of the first parameter in the whole statement
     */
    Insert insert(List<AuditRecord> records, List<@Nullable Integer> parts, String condition, int firstParameter);

    /** To be called after the commit of records that were written by {@link #insert}; wakes the relay as {@link #committed()} does. */
    void committed(List<AuditRecord> records);

    /** To be called after the commit: wakes the relay at once. Never blocks. */
    void committed();

    /** How full the backlog is, 0 to 1 of its budget; what the gateway refuses new work by. */
    double fill();
}
