package io.aiel.plane.audit;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/** The log's tables: each record is kept once by its stream and sequence, whatever comes how often. Thread-safe. */
final class PgAuditLog {
    private static final Logger LOG = Logger.getLogger(PgAuditLog.class);
    private static final String INSERT = """
            INSERT INTO audit_events (stream, sequence, id, tenant, workspace, project, type, time, principal, execution,
                                      capability, decision, decision_id, policy, hash, prev, canonical)
            SELECT r.stream, r.sequence, r.id, r.tenant, r.workspace, r.project, r.type, r.time, r.principal, r.execution,
                   coalesce(r.capability, f.capability), r.decision, r.decision_id, r.policy, r.hash, r.prev, r.canonical
            FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                        $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                        $15::text[], $16::text[], $17::text[])
                 AS r (stream, sequence, id, tenant, workspace, project, type, time, principal, execution, capability,
                       decision, decision_id, policy, hash, prev, canonical)
            LEFT JOIN audit_events f ON r.execution IS NOT NULL AND f.stream = r.stream AND f.sequence = 1
            ON CONFLICT (stream, sequence) DO NOTHING
            """;
    private static final String LOOK_BACK = """
            SELECT r.stream, r.sequence, e.hash, e.prev, b.hash AS before_hash, a.prev AS after_prev,
                   a.hash AS after_hash
            FROM unnest($1::text[], $2::bigint[]) AS r (stream, sequence)
            JOIN audit_events e ON e.stream = r.stream AND e.sequence = r.sequence
            LEFT JOIN audit_events b ON b.stream = r.stream AND b.sequence = r.sequence - 1
            LEFT JOIN audit_events a ON a.stream = r.stream AND a.sequence = r.sequence + 1
            """;
    private static final String ALARM = """
            INSERT INTO audit_alarms (kind, stream, sequence, stored_hash, found_hash, detail)
            SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
            ON CONFLICT (kind, stream, sequence, found_hash) DO NOTHING
            """;
    private static final String RESOLVE_GAPS = """
            UPDATE audit_alarms g SET resolved_at = now()
            WHERE g.kind = 'gap' AND g.resolved_at IS NULL AND EXISTS
                (SELECT 1 FROM audit_events e WHERE e.stream = g.stream AND e.sequence = g.sequence - 1)
            """;
    private static final String DELETE_COVERED = """
            WITH gone AS (
                DELETE FROM audit_outbox o
                USING unnest($1::text[], $2::bigint[]) AS r (stream, sequence), audit_events e
                WHERE o.stream = r.stream AND o.sequence = r.sequence
                  AND e.stream = o.stream AND e.sequence = o.sequence AND e.hash = o.hash
                RETURNING o.bytes)
            SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone
            """;
    private static final String OPEN_ALARMS = "SELECT count(*) FROM audit_alarms WHERE resolved_at IS NULL";

    private static final String DOES_NOT_CONTINUE = "it does not continue from the one before";

    private final Pool pool;

    /**
     * What storing a batch did.
     *
     * @param stored records that were new
     * @param outboxRows outbox rows that were deleted
     * @param outboxBytes their bytes
     */
    record Stored(int stored, List<Alarm> alarms, long outboxRows, long outboxBytes) {}

    private record Key(String stream, long sequence) {}

    private record Neighbours(
            String hash,
            String prev,
            @Nullable String beforeHash,
            @Nullable String afterPrev,
            @Nullable String afterHash) {}

    PgAuditLog(Pool pool) {
        this.pool = pool;
    }

    /** Stores a batch, checks it against what is there, raises alarms and deletes covered outbox rows: one transaction. */
    Uni<Stored> store(List<LogEntry> batch, List<Alarm> unreadable) {
        if (batch.isEmpty() && unreadable.isEmpty()) {
            return Uni.createFrom().item(new Stored(0, List.of(), 0, 0));
        }
        List<LogEntry> entries = withCapabilities(batch);
        return pool.withTransaction(transaction -> store(transaction, entries, unreadable));
    }

    /** How many alarms nobody has resolved; resolves gaps that were filled meanwhile. */
    Uni<Long> openAlarms() {
        return pool.query(RESOLVE_GAPS)
                .execute()
                .chain(() -> pool.query(OPEN_ALARMS).execute())
                .map(rows -> rows.iterator().next().getLong(0));
    }

    private static Uni<Stored> store(SqlConnection transaction, List<LogEntry> entries, List<Alarm> unreadable) {
        Tuple keys = keys(entries);
        return insert(transaction, entries)
                .chain(stored -> transaction
                        .preparedQuery(LOOK_BACK)
                        .execute(keys)
                        .map(rows -> alarms(entries, rows))
                        .chain(alarms -> raise(transaction, both(alarms, unreadable)))
                        .chain(alarms -> deleteCovered(transaction, keys)
                                .map(gone -> new Stored(stored, alarms, gone.getLong(0), gone.getLong(1)))));
    }

    private static Uni<Integer> insert(SqlConnection transaction, List<LogEntry> entries) {
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(column(entries, LogEntry::stream));
        columns.addArrayOfLong(entries.stream().map(LogEntry::sequence).toArray(Long[]::new));
        columns.addArrayOfString(column(entries, LogEntry::id));
        columns.addArrayOfString(column(entries, LogEntry::tenant));
        columns.addArrayOfString(column(entries, LogEntry::workspace));
        columns.addArrayOfString(column(entries, LogEntry::project));
        columns.addArrayOfString(column(entries, LogEntry::type));
        columns.addArrayOfOffsetDateTime(entries.stream().map(LogEntry::time).toArray(OffsetDateTime[]::new));
        columns.addArrayOfString(column(entries, LogEntry::principal));
        columns.addArrayOfString(column(entries, LogEntry::execution));
        columns.addArrayOfString(column(entries, LogEntry::capability));
        columns.addArrayOfString(column(entries, LogEntry::decision));
        columns.addArrayOfString(column(entries, LogEntry::decisionId));
        columns.addArrayOfString(column(entries, LogEntry::policy));
        columns.addArrayOfString(column(entries, LogEntry::hash));
        columns.addArrayOfString(column(entries, LogEntry::prev));
        columns.addArrayOfString(column(entries, LogEntry::canonical));
        return transaction.preparedQuery(INSERT).execute(columns).map(RowSet::rowCount);
    }

    /**
     * Takes out of the outbox what the log holds with the same hash. Here, and only here, it is decided that a record no longer
     * needs its outbox row; once checkpoints are signed, being covered by one becomes the condition.
     */
    private static Uni<Row> deleteCovered(SqlConnection transaction, Tuple keys) {
        return transaction
                .preparedQuery(DELETE_COVERED)
                .execute(keys)
                .map(rows -> rows.iterator().next());
    }

    private static List<Alarm> alarms(List<LogEntry> entries, RowSet<Row> rows) {
        Map<Key, Neighbours> kept = new HashMap<>();
        for (Row row : rows) {
            kept.put(
                    new Key(row.getString(0), row.getLong(1)),
                    new Neighbours(
                            row.getString(2), row.getString(3), row.getString(4), row.getString(5), row.getString(6)));
        }
        // A set, as two records of one batch may both show the same.
        Set<Alarm> alarms = new LinkedHashSet<>();
        Set<Key> checked = new HashSet<>();
        for (LogEntry entry : entries) {
            Key key = new Key(entry.stream(), entry.sequence());
            Neighbours stored = kept.get(key);
            if (stored == null) {
                throw new IllegalStateException("a record that was just stored is not there: " + key);
            }
            if (!stored.hash().equals(entry.hash())) {
                alarms.add(alarm(
                        Alarm.Kind.CONFLICT, key, stored.hash(), entry.hash(), "another record for a taken place"));
            } else if (checked.add(key)) {
                checkChain(key, stored, alarms);
            }
        }
        return List.copyOf(alarms);
    }

    private static void checkChain(Key key, Neighbours stored, Set<Alarm> alarms) {
        String before = key.sequence() == 1 ? AuditCodec.GENESIS.value() : stored.beforeHash();
        if (before == null) {
            alarms.add(alarm(Alarm.Kind.GAP, key, "", stored.hash(), "the record before it is missing"));
        } else if (!before.equals(stored.prev())) {
            alarms.add(alarm(Alarm.Kind.BROKEN_CHAIN, key, before, stored.hash(), DOES_NOT_CONTINUE));
        }
        // A record that came late may show that the one after it, which was there first, does not fit.
        if (stored.afterHash() != null && !stored.hash().equals(stored.afterPrev())) {
            Key after = new Key(key.stream(), key.sequence() + 1);
            alarms.add(alarm(Alarm.Kind.BROKEN_CHAIN, after, stored.hash(), stored.afterHash(), DOES_NOT_CONTINUE));
        }
    }

    private static Alarm alarm(Alarm.Kind kind, Key key, String storedHash, String foundHash, String detail) {
        return new Alarm(kind, key.stream(), key.sequence(), storedHash, foundHash, detail);
    }

    private static Uni<List<Alarm>> raise(SqlConnection transaction, List<Alarm> alarms) {
        if (alarms.isEmpty()) {
            return Uni.createFrom().item(alarms);
        }
        for (Alarm alarm : alarms) {
            LOG.errorf(
                    "audit integrity alarm: %s at %s %d: %s (stored %s, found %s)",
                    alarm.kind().wireName(),
                    alarm.stream(),
                    alarm.sequence(),
                    alarm.detail(),
                    alarm.storedHash(),
                    alarm.foundHash());
        }
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(column(alarms, alarm -> alarm.kind().wireName()));
        columns.addArrayOfString(column(alarms, Alarm::stream));
        columns.addArrayOfLong(alarms.stream().map(Alarm::sequence).toArray(Long[]::new));
        columns.addArrayOfString(column(alarms, Alarm::storedHash));
        columns.addArrayOfString(column(alarms, Alarm::foundHash));
        columns.addArrayOfString(column(alarms, Alarm::detail));
        return transaction.preparedQuery(ALARM).execute(columns).replaceWith(alarms);
    }

    /** An execution's first record names the capability; queries by it want the whole execution. */
    private static List<LogEntry> withCapabilities(List<LogEntry> batch) {
        Map<String, String> named = new HashMap<>();
        for (LogEntry entry : batch) {
            if (entry.capability() != null) {
                named.putIfAbsent(entry.stream(), entry.capability());
            }
        }
        return batch.stream()
                .map(entry -> entry.withCapability(named.get(entry.stream())))
                .toList();
    }

    private static Tuple keys(List<LogEntry> entries) {
        Tuple keys = Tuple.tuple();
        keys.addArrayOfString(column(entries, LogEntry::stream));
        keys.addArrayOfLong(entries.stream().map(LogEntry::sequence).toArray(Long[]::new));
        return keys;
    }

    private static <T> @Nullable String[] column(Collection<T> items, Function<T, @Nullable String> value) {
        @Nullable String[] column = new String[items.size()];
        int i = 0;
        for (T item : items) {
            column[i++] = value.apply(item);
        }
        return column;
    }

    private static List<Alarm> both(List<Alarm> one, List<Alarm> other) {
        List<Alarm> all = new ArrayList<>(one);
        all.addAll(other);
        return all;
    }
}
