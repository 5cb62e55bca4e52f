package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.TenantId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads the log, always within one tenant. Thread-safe. Whoever serves a reader records the reading. */
public final class AuditTrail {
    private static final String EXECUTION = """
            SELECT id, tenant, stream, sequence, type, hash, canonical FROM audit_events WHERE stream = $1 AND tenant = $2
            UNION ALL
            SELECT id, tenant, stream, sequence, type, hash, canonical FROM audit_outbox o WHERE stream = $1 AND tenant = $2
                AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.stream = o.stream AND e.sequence = o.sequence)
            ORDER BY sequence
            """;
    private static final String EXECUTION_AFTER = """
            SELECT id, tenant, stream, sequence, type, hash, canonical FROM audit_events
                WHERE stream = $1 AND tenant = $2 AND sequence > $3
            UNION ALL
            SELECT id, tenant, stream, sequence, type, hash, canonical FROM audit_outbox o
                WHERE stream = $1 AND tenant = $2 AND sequence > $3
                AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.stream = o.stream AND e.sequence = o.sequence)
            ORDER BY sequence LIMIT $4
            """;

    private final Pool pool;
    private final Duration queryTimeout;

    /**
     * One page of an answer.
     *
     * @param next where the next page goes on; empty at the end
     */
    public record Page(List<AuditRecord> records, Optional<AuditQuery.Cursor> next) {
        public Page {
            records = List.copyOf(records);
        }
    }

    public AuditTrail(Pool pool, Duration queryTimeout) {
        this.pool = pool;
        this.queryTimeout = queryTimeout;
    }

    /** The records that match, ordered by time and id. Records enter the log shortly after they were written. */
    public Uni<Page> find(AuditQuery query) {
        List<Object> parameters = new ArrayList<>();
        StringBuilder sql = new StringBuilder(
                "SELECT id, tenant, stream, sequence, type, hash, canonical, time FROM audit_events WHERE tenant = $1");
        parameters.add(query.tenant().value());
        query.workspace().ifPresent(workspace -> and(sql, parameters, "workspace =", workspace.value()));
        query.project().ifPresent(project -> and(sql, parameters, "project =", project.value()));
        query.principal().ifPresent(principal -> and(sql, parameters, "principal =", principal.value()));
        query.type().ifPresent(type -> and(sql, parameters, "type =", type));
        query.execution()
                .ifPresent(execution -> and(sql, parameters, "stream =", StreamPosition.startOf(execution).stream()));
        query.capability().ifPresent(capability -> and(sql, parameters, "capability =", capability));
        query.decision().ifPresent(decision -> and(sql, parameters, "decision =", decision));
        query.from().ifPresent(from -> and(sql, parameters, "time >=", from.atOffset(ZoneOffset.UTC)));
        query.to().ifPresent(to -> and(sql, parameters, "time <", to.atOffset(ZoneOffset.UTC)));
        query.after().ifPresent(cursor -> {
            parameters.add(cursor.time().atOffset(ZoneOffset.UTC));
            parameters.add(cursor.id().value());
            sql.append(" AND (time, id) ")
                    .append(query.newestFirst() ? "<" : ">")
                    .append(" ($" + (parameters.size() - 1) + ", $" + parameters.size() + ")");
        });
        String direction = query.newestFirst() ? " DESC" : "";
        parameters.add(query.limit() + 1);
        sql.append(" ORDER BY time" + direction + ", id" + direction + " LIMIT $" + parameters.size());
        return pool.preparedQuery(sql.toString())
                .execute(Tuple.from(parameters))
                .ifNoItem()
                .after(queryTimeout)
                .fail()
                .map(rows -> page(rows, query.limit()));
    }

    /**
     * All records of an execution in order, those included that are not in the log yet; empty when the tenant has no such
     * execution.
     */
    public Uni<List<AuditRecord>> executionEvents(TenantId tenant, ExecutionId execution) {
        return pool.preparedQuery(EXECUTION)
                .execute(Tuple.of(StreamPosition.startOf(execution).stream(), tenant.value()))
                .ifNoItem()
                .after(queryTimeout)
                .fail()
                .map(AuditTrail::records);
    }

    /** The records of an execution that come after this sequence, likewise, and so many at most. */
    public Uni<List<AuditRecord>> executionEvents(TenantId tenant, ExecutionId execution, long after, int limit) {
        return pool.preparedQuery(EXECUTION_AFTER)
                .execute(Tuple.of(StreamPosition.startOf(execution).stream(), tenant.value(), after, limit))
                .ifNoItem()
                .after(queryTimeout)
                .fail()
                .map(AuditTrail::records);
    }

    private static void and(StringBuilder sql, List<Object> parameters, String condition, Object value) {
        parameters.add(value);
        sql.append(" AND ").append(condition).append(" $").append(parameters.size());
    }

    private static Page page(RowSet<Row> rows, int limit) {
        List<AuditRecord> records = new ArrayList<>();
        Optional<AuditQuery.Cursor> next = Optional.empty();
        Optional<AuditQuery.Cursor> last = Optional.empty();
        for (Row row : rows) {
            if (records.size() == limit) {
                next = last;
                break;
            }
            AuditRecord record = record(row);
            records.add(record);
            Instant time = row.getOffsetDateTime(7).toInstant();
            last = Optional.of(new AuditQuery.Cursor(time, record.id()));
        }
        return new Page(records, next);
    }

    private static List<AuditRecord> records(RowSet<Row> rows) {
        List<AuditRecord> records = new ArrayList<>(rows.size());
        for (Row row : rows) {
            records.add(record(row));
        }
        return records;
    }

    private static AuditRecord record(Row row) {
        return new AuditRecord(
                new EventId(row.getString(0)),
                new TenantId(row.getString(1)),
                row.getString(2),
                row.getLong(3),
                row.getString(4),
                new Digest(row.getString(5)),
                row.getString(6));
    }
}
