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
import java.util.TreeMap;
import java.util.TreeSet;
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
            LEFT JOIN audit_events f
                ON r.execution IS NOT NULL AND r.capability IS NULL AND f.stream = r.stream AND f.sequence = 1
            ON CONFLICT (stream, sequence) DO NOTHING
            """;
    // One range of each stream and not three places of each record: a stream's records come together.
    private static final String LOOK_BACK = """
            SELECT e.stream, e.sequence, e.hash, e.prev
            FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS r (stream, first, last)
            JOIN audit_events e ON e.stream = r.stream AND e.sequence BETWEEN r.first - 1 AND r.last + 1
            """;
    private static final String ALARM = """
            INSERT INTO audit_alarms (kind, stream, sequence, stored_hash, found_hash, detail)
            SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
                AS r (kind, stream, sequence, stored_hash, found_hash, detail)
            WHERE CASE r.kind
                WHEN 'unreadable' THEN $7 > (SELECT count(*) FROM
                    (SELECT 1 FROM audit_alarms WHERE kind = 'unreadable' AND resolved_at IS NULL LIMIT $7) AS open)
                WHEN 'missing' THEN $7 > (SELECT count(*) FROM
                    (SELECT 1 FROM audit_alarms WHERE kind = 'missing' AND resolved_at IS NULL LIMIT $7) AS open)
                ELSE true END
            ON CONFLICT (kind, stream, sequence, found_hash) DO NOTHING
            """;
    private static final String RESOLVE_GAPS = """
            UPDATE audit_alarms g SET resolved_at = now()
            WHERE g.kind = 'gap' AND g.resolved_at IS NULL AND EXISTS
                (SELECT 1 FROM audit_events e WHERE e.stream = g.stream AND e.sequence = g.sequence - 1)
            """;
    // Row by row by the index, whatever the planner thinks: when it last looked at the table, that may have been empty,
    // and it would compare each of the batch with each of the table. Not by place (ctid): a row that the relay marks
    // meanwhile has another place, and would stay.
    static final String DELETE_COVERED = """
            WITH gone AS (
                DELETE FROM audit_outbox WHERE position = ANY (ARRAY(
                    SELECT o.position FROM unnest($1::text[], $2::bigint[], $3::text[]) AS r (stream, sequence, hash),
                        LATERAL (SELECT x.position FROM audit_outbox x
                            WHERE x.stream = r.stream AND x.sequence = r.sequence AND x.hash = r.hash
                            OFFSET 0) AS o))
                RETURNING bytes)
            SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone
            """;
    private static final String OPEN_ALARMS = "SELECT count(*) FROM audit_alarms WHERE resolved_at IS NULL";

    // Of messages that are no records, which whoever may write to the topic can send in any number; and of streams
    // without their ends. What comes beyond is counted and logged.
    private static final long ALARMS_KEPT_MAX = 10_000;

    private static final int ENDS_AT_ONCE = 1_000;

    // Who writes a stream keeps where it stands, in the transaction that puts the record into the outbox; and what
    // leaves the outbox enters the log in one transaction. So one statement sees each end in one of the two. Gives one
    // row at least. The limit is no parameter: the planner would take it for a tenth of the table.
    private static final String MISSING_ENDS = """
            WITH ends AS (%s),
            missing AS (
                SELECT e.stream, e.sequence, coalesce(l.hash, '') AS stored, e.hash
                FROM ends e LEFT JOIN audit_events l ON l.stream = e.stream AND l.sequence = e.sequence
                WHERE l.hash IS DISTINCT FROM e.hash
                    AND NOT EXISTS (SELECT FROM audit_outbox o
                        WHERE o.stream = e.stream AND o.sequence = e.sequence AND o.hash = e.hash OFFSET 0)
                    AND NOT EXISTS (SELECT FROM audit_alarms a WHERE a.kind = 'missing'
                        AND a.stream = e.stream AND a.sequence = e.sequence AND a.found_hash = e.hash))
            SELECT (SELECT max(place) FROM ends), m.stream, m.sequence, m.stored, m.hash
            FROM (SELECT 1) AS one LEFT JOIN missing m ON true
            """;
    private static final String MISSING_EXECUTION_ENDS = MISSING_ENDS.formatted("""
            SELECT id AS place, 'execution/' || id AS stream, audit_sequence AS sequence, audit_hash AS hash
            FROM executions WHERE id > $1 ORDER BY id LIMIT %d
            """.formatted(ENDS_AT_ONCE));
    private static final String MISSING_CONTROL_ENDS = MISSING_ENDS.formatted("""
            SELECT stream AS place, stream, sequence, hash
            FROM audit_stream_heads WHERE stream > $1 AND hash IS NOT NULL ORDER BY stream LIMIT %d
            """.formatted(ENDS_AT_ONCE));

    // Places that a range may span without a record of the batch.
    private static final long RANGE_GAP_MAX = 8;

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

    /**
     * How far the log was compared with where the writers of streams stand.
     *
     * @param execution the last one, and empty text before the first
     * @param control the last stream, likewise
     */
    record EndsChecked(String execution, String control) {
        static final EndsChecked NOTHING = new EndsChecked("", "");
    }

    /**
     * What a look at some streams' ends found.
     *
     * @param upTo where the next look goes on; from the first again after the last
     */
    record Ends(EndsChecked upTo, List<Alarm> alarms) {}

    private record Key(String stream, long sequence) {}

    /** What the log holds at a place. */
    private record Place(String hash, String prev) {}

    /** A part of a stream that a batch has records of, with no wide gap in it. */
    private record Range(String stream, long first, long last) {}

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

    /** Looks whether the log has the ends of some more streams of each kind; raises alarms. */
    Uni<Ends> checkEnds(EndsChecked after) {
        return missing(MISSING_EXECUTION_ENDS, after.execution())
                .chain(executions -> missing(MISSING_CONTROL_ENDS, after.control())
                        .chain(control -> raised(both(alarms(executions), alarms(control)))
                                .map(alarms -> new Ends(new EndsChecked(place(executions), place(control)), alarms))));
    }

    private Uni<RowSet<Row>> missing(String sql, String after) {
        return pool.preparedQuery(sql).execute(Tuple.of(after));
    }

    private static String place(RowSet<Row> missing) {
        String place = missing.iterator().next().getString(0);
        return place == null ? "" : place;
    }

    private static List<Alarm> alarms(RowSet<Row> missing) {
        List<Alarm> alarms = new ArrayList<>();
        for (Row row : missing) {
            if (row.getString(1) != null) {
                alarms.add(new Alarm(
                        Alarm.Kind.MISSING,
                        row.getString(1),
                        row.getLong(2),
                        row.getString(3),
                        row.getString(4),
                        "the stream's last record is not in the log"));
            }
        }
        return alarms;
    }

    private Uni<List<Alarm>> raised(List<Alarm> alarms) {
        return alarms.isEmpty()
                ? Uni.createFrom().item(alarms)
                : pool.withTransaction(transaction -> raise(transaction, alarms));
    }

    private static Uni<Stored> store(SqlConnection transaction, List<LogEntry> entries, List<Alarm> unreadable) {
        return insert(transaction, entries)
                .chain(stored -> places(transaction, entries)
                        .chain(places -> raise(transaction, both(alarms(entries, places), unreadable))
                                .chain(alarms -> deleteCovered(transaction, places, entries)
                                        .map(gone -> new Stored(stored, alarms, gone.getLong(0), gone.getLong(1))))));
    }

    /** What the log now holds where the batch's records belong and on either side of them. */
    private static Uni<Map<Key, Place>> places(SqlConnection transaction, List<LogEntry> entries) {
        List<Range> ranges = ranges(entries);
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(ranges.stream().map(Range::stream).toArray(String[]::new));
        columns.addArrayOfLong(ranges.stream().map(Range::first).toArray(Long[]::new));
        columns.addArrayOfLong(ranges.stream().map(Range::last).toArray(Long[]::new));
        return transaction.preparedQuery(LOOK_BACK).execute(columns).map(rows -> {
            Map<Key, Place> places = new HashMap<>();
            for (Row row : rows) {
                places.put(new Key(row.getString(0), row.getLong(1)), new Place(row.getString(2), row.getString(3)));
            }
            return places;
        });
    }

    /** Splits at gaps, so that an old record of a long stream beside a new one does not read all between them. */
    private static List<Range> ranges(List<LogEntry> entries) {
        Map<String, TreeSet<Long>> sequences = new TreeMap<>();
        entries.forEach(entry ->
                sequences.computeIfAbsent(entry.stream(), _ -> new TreeSet<>()).add(entry.sequence()));
        List<Range> ranges = new ArrayList<>();
        sequences.forEach((stream, wanted) -> {
            long first = wanted.first();
            long last = first;
            for (long sequence : wanted) {
                if (sequence - last > RANGE_GAP_MAX) {
                    ranges.add(new Range(stream, first, last));
                    first = sequence;
                }
                last = sequence;
            }
            ranges.add(new Range(stream, first, last));
        });
        return ranges;
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
    private static Uni<Row> deleteCovered(SqlConnection transaction, Map<Key, Place> places, List<LogEntry> entries) {
        List<LogEntry> covered = entries.stream()
                .filter(entry -> stored(places, key(entry)).hash().equals(entry.hash()))
                .toList();
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(column(covered, LogEntry::stream));
        columns.addArrayOfLong(covered.stream().map(LogEntry::sequence).toArray(Long[]::new));
        columns.addArrayOfString(column(covered, LogEntry::hash));
        return transaction
                .preparedQuery(DELETE_COVERED)
                .execute(columns)
                .map(rows -> rows.iterator().next());
    }

    private static List<Alarm> alarms(List<LogEntry> entries, Map<Key, Place> places) {
        // A set, as two records of one batch may both show the same.
        Set<Alarm> alarms = new LinkedHashSet<>();
        Set<Key> checked = new HashSet<>();
        for (LogEntry entry : entries) {
            Key key = key(entry);
            Place stored = stored(places, key);
            if (!stored.hash().equals(entry.hash())) {
                alarms.add(alarm(
                        Alarm.Kind.CONFLICT, key, stored.hash(), entry.hash(), "another record for a taken place"));
            } else if (checked.add(key)) {
                checkChain(key, stored, places, alarms);
            }
        }
        return List.copyOf(alarms);
    }

    private static Key key(LogEntry entry) {
        return new Key(entry.stream(), entry.sequence());
    }

    private static Place stored(Map<Key, Place> places, Key key) {
        Place stored = places.get(key);
        if (stored == null) {
            throw new IllegalStateException("a record that was just stored is not there: " + key);
        }
        return stored;
    }

    private static void checkChain(Key key, Place stored, Map<Key, Place> places, Set<Alarm> alarms) {
        Place before = places.get(new Key(key.stream(), key.sequence() - 1));
        Key afterKey = new Key(key.stream(), key.sequence() + 1);
        Place after = places.get(afterKey);
        if (key.sequence() > 1 && before == null) {
            alarms.add(alarm(Alarm.Kind.GAP, key, "", stored.hash(), "the record before it is missing"));
        } else {
            String expected = before == null ? AuditCodec.GENESIS.value() : before.hash();
            if (!expected.equals(stored.prev())) {
                alarms.add(alarm(Alarm.Kind.BROKEN_CHAIN, key, expected, stored.hash(), DOES_NOT_CONTINUE));
            }
        }
        // A record that came late may show that the one after it, which was there first, does not fit.
        if (after != null && !stored.hash().equals(after.prev())) {
            alarms.add(alarm(Alarm.Kind.BROKEN_CHAIN, afterKey, stored.hash(), after.hash(), DOES_NOT_CONTINUE));
        }
    }

    private static Alarm alarm(Alarm.Kind kind, Key key, String storedHash, String foundHash, String detail) {
        return new Alarm(kind, key.stream(), key.sequence(), storedHash, foundHash, detail);
    }

    private static Uni<List<Alarm>> raise(SqlConnection transaction, List<Alarm> alarms) {
        if (alarms.isEmpty()) {
            return Uni.createFrom().item(alarms);
        }
        say(alarms);
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(column(alarms, alarm -> alarm.kind().wireName()));
        columns.addArrayOfString(column(alarms, Alarm::stream));
        columns.addArrayOfLong(alarms.stream().map(Alarm::sequence).toArray(Long[]::new));
        columns.addArrayOfString(column(alarms, Alarm::storedHash));
        columns.addArrayOfString(column(alarms, Alarm::foundHash));
        columns.addArrayOfString(column(alarms, Alarm::detail));
        columns.addLong(ALARMS_KEPT_MAX);
        return transaction.preparedQuery(ALARM).execute(columns).replaceWith(alarms);
    }

    /** One line for each, but of what may be many one for all. */
    private static void say(List<Alarm> alarms) {
        sayOne(Alarm.Kind.UNREADABLE, alarms);
        sayOne(Alarm.Kind.MISSING, alarms);
        for (Alarm alarm : alarms) {
            if (alarm.kind() != Alarm.Kind.UNREADABLE && alarm.kind() != Alarm.Kind.MISSING) {
                LOG.errorf(
                        "audit integrity alarm: %s at %s %d: %s (stored %s, found %s)",
                        alarm.kind().wireName(),
                        alarm.stream(),
                        alarm.sequence(),
                        alarm.detail(),
                        alarm.storedHash(),
                        alarm.foundHash());
            }
        }
    }

    private static void sayOne(Alarm.Kind kind, List<Alarm> alarms) {
        List<Alarm> of = alarms.stream().filter(alarm -> alarm.kind() == kind).toList();
        if (!of.isEmpty()) {
            Alarm first = of.getFirst();
            LOG.errorf(
                    "audit integrity alarm: %d times %s, first at %s %d: %s (%s)",
                    of.size(), kind.wireName(), first.stream(), first.sequence(), first.detail(), first.foundHash());
        }
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
