package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** Executions in PostgreSQL, written with multi-row statements. Thread-safe. */
final class PostgresExecutionStore {
    private static final String INSERT = """
            insert into executions (id, tenant, workspace, project, environment, snapshot_digest, snapshot_id, bundle, action,
                capability_kind, capability_name, principal, request_id, traceparent, idempotency_key, arguments_digest,
                timeout_ms, status, decision_id, policy_digest, incarnation, requested_at, finished_at, http_status,
                error_code, audit_sequence, audit_hash)
            select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::int[], $18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[], $23::timestamptz[],
                $24::int[], $25::text[], $26::bigint[], $27::text[])
            """;

    private static final String CLOSE = """
            update executions e set status = v.status, finished_at = v.finished_at, http_status = v.http_status,
                error_code = nullif(v.error_code, ''), error_message = nullif(v.error_message, ''),
                result_digest = v.result_digest, cpu_ms = v.cpu_ms, wall_ms = v.wall_ms, max_rss_bytes = v.max_rss_bytes,
                isolation = v.isolation, worker = v.worker, audit_sequence = v.audit_sequence, audit_hash = v.audit_hash
            from unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[])
                as v(id, status, finished_at, http_status, error_code, error_message, result_digest, cpu_ms, wall_ms,
                    max_rss_bytes, isolation, worker, audit_sequence, audit_hash)
            where e.id = v.id and e.status = 'running'
            returning e.id
            """;

    private static final String LOG =
            "insert into execution_logs (execution, line, entry) select * from unnest($1::text[], $2::int[], $3::text[])";

    private final Pool pool;
    private final Outbox outbox;
    private final String incarnation;
    private final Duration timeout;

    /**
     * @param incarnation names this start of this server as the owner of what it runs
     * @param timeout for one transaction
     */
    PostgresExecutionStore(Pool pool, Outbox outbox, String incarnation, Duration timeout) {
        this.pool = pool;
        this.outbox = outbox;
        this.incarnation = incarnation;
        this.timeout = timeout;
    }

    /** Writes the entries in one transaction; says of each whether it took effect. */
    Uni<List<Boolean>> write(List<JournalEntry> entries) {
        List<Admission> admissions = only(Admission.class, entries);
        List<Closure> closures = only(Closure.class, entries);
        return pool.withTransaction(connection -> insert(connection, admissions)
                        .chain(() -> close(connection, closures))
                        .chain(closed -> records(connection, entries, closed)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .invoke(outbox::committed);
    }

    private static <T extends JournalEntry> List<T> only(Class<T> type, List<JournalEntry> entries) {
        return entries.stream().filter(type::isInstance).map(type::cast).toList();
    }

    private Uni<Void> insert(SqlConnection connection, List<Admission> admissions) {
        if (admissions.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        Columns<Admission> of = new Columns<>(admissions);
        Tuple tuple = Tuple.tuple();
        of.text(tuple, a -> a.id().value());
        of.text(tuple, a -> a.caller().scope().tenant().value());
        of.text(tuple, a -> a.caller().scope().workspace().value());
        of.text(tuple, a -> a.caller().scope().project().value());
        of.text(tuple, a -> a.target().environment().orElse(null));
        of.text(tuple, a -> a.target().snapshot().digest().value());
        of.text(tuple, a -> a.target().snapshot().snapshotId());
        of.text(tuple, a -> a.target().bundle());
        of.text(tuple, Admission::action);
        of.text(tuple, Admission::capabilityKind);
        of.text(tuple, Admission::capabilityName);
        of.text(tuple, a -> a.caller().principal().id().value());
        of.text(tuple, a -> a.caller().requestId());
        of.text(tuple, a -> a.caller().traceparent());
        of.text(tuple, a -> a.idempotencyKey().orElse(null));
        of.text(tuple, a -> a.argumentsDigest().value());
        of.integers(tuple, Admission::timeoutMs);
        of.text(tuple, a -> (a.denied() ? ExecutionStatus.DENIED : ExecutionStatus.RUNNING).wireName());
        of.text(tuple, a -> a.decision().id().value());
        of.text(tuple, a -> a.decision().policyDigest().value());
        of.text(tuple, _ -> incarnation);
        of.times(tuple, Admission::requestedAt);
        of.times(tuple, a -> a.denied() ? a.requestedAt() : null);
        of.integers(tuple, a -> a.denied() ? Integer.valueOf(403) : null);
        of.text(tuple, a -> a.denied() ? "POLICY_DENIED" : null);
        of.longs(tuple, a -> a.position().sequence());
        of.text(tuple, a -> a.position().hash().orElseThrow().value());
        return connection.preparedQuery(INSERT).execute(tuple).replaceWithVoid();
    }

    private static Uni<Set<String>> close(SqlConnection connection, List<Closure> closures) {
        if (closures.isEmpty()) {
            return Uni.createFrom().item(Set.of());
        }
        Columns<Closure> of = new Columns<>(closures);
        Tuple tuple = Tuple.tuple();
        of.text(tuple, c -> c.id().value());
        of.text(tuple, c -> c.status().wireName());
        of.times(tuple, Closure::finishedAt);
        of.integers(tuple, Closure::httpStatus);
        of.text(tuple, Closure::errorCode);
        of.text(tuple, c -> storable(c.errorMessage()));
        of.text(tuple, c -> c.resultDigest().map(Object::toString).orElse(null));
        of.longs(tuple, c -> c.usage().cpuMs());
        of.longs(tuple, c -> c.usage().wallMs());
        of.longs(tuple, c -> c.usage().maxRssBytes());
        of.text(tuple, c -> c.isolation().value());
        of.text(tuple, Closure::worker);
        of.longs(tuple, c -> c.position().sequence());
        of.text(tuple, c -> c.position().hash().orElseThrow().value());
        return connection
                .preparedQuery(CLOSE)
                .execute(tuple)
                .map(PostgresExecutionStore::ids)
                .call(closed -> logs(connection, closures, closed));
    }

    private static Set<String> ids(RowSet<Row> rows) {
        Set<String> ids = new HashSet<>();
        rows.forEach(row -> ids.add(row.getString(0)));
        return ids;
    }

    private static Uni<Void> logs(SqlConnection connection, List<Closure> closures, Set<String> closed) {
        record Line(ExecutionId execution, int number, JsonText entry) {}
        List<Line> lines = new ArrayList<>();
        for (Closure closure : closures) {
            if (closed.contains(closure.id().value())) {
                for (int i = 0; i < closure.logs().size(); i++) {
                    lines.add(new Line(closure.id(), i + 1, closure.logs().get(i)));
                }
            }
        }
        if (lines.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        Columns<Line> of = new Columns<>(lines);
        Tuple tuple = Tuple.tuple();
        of.text(tuple, line -> line.execution().value());
        of.integers(tuple, Line::number);
        of.text(tuple, line -> storable(line.entry().value()));
        return connection.preparedQuery(LOG).execute(tuple).replaceWithVoid();
    }

    /** The records of what took effect, and of that alone: an overtaken closure must leave no second terminal record. */
    private Uni<List<Boolean>> records(SqlConnection connection, List<JournalEntry> entries, Set<String> closed) {
        List<Boolean> effects = new ArrayList<>(entries.size());
        List<AuditRecord> records = new ArrayList<>();
        for (JournalEntry entry : entries) {
            boolean effective = switch (entry) {
                case Admission _ -> true;
                case Closure closure -> closed.contains(closure.id().value());
            };
            effects.add(effective);
            if (effective) {
                records.addAll(entry.records());
            }
        }
        return records.isEmpty()
                ? Uni.createFrom().item(effects)
                : outbox.append(connection, records).replaceWith(effects);
    }

    /** PostgreSQL's text cannot hold NUL; a log line that has one must not cost the execution its record. */
    static String storable(String text) {
        return text.indexOf('\0') < 0 ? text : text.replace('\0', '\uFFFD');
    }

    /** Turns rows into the column arrays that {@code unnest} takes. */
    private record Columns<T>(List<T> rows) {
        void text(Tuple tuple, Function<T, @org.jspecify.annotations.Nullable String> column) {
            tuple.addArrayOfString(rows.stream().map(column).toArray(String[]::new));
        }

        void integers(Tuple tuple, Function<T, @org.jspecify.annotations.Nullable Integer> column) {
            tuple.addArrayOfInteger(rows.stream().map(column).toArray(Integer[]::new));
        }

        void longs(Tuple tuple, Function<T, Long> column) {
            tuple.addArrayOfLong(rows.stream().map(column).toArray(Long[]::new));
        }

        void times(Tuple tuple, Function<T, @org.jspecify.annotations.Nullable Instant> column) {
            tuple.addArrayOfOffsetDateTime(rows.stream()
                    .map(column)
                    .map(time -> time == null ? null : time.atOffset(ZoneOffset.UTC))
                    .toArray(OffsetDateTime[]::new));
        }
    }
}
