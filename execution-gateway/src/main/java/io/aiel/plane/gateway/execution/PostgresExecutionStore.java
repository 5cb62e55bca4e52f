package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Executions in PostgreSQL; a batch of journal entries is one statement. Thread-safe. */
final class PostgresExecutionStore {
    // Whoever comes second must leave no second terminal record. What always takes effect has no place.
    private static final String RECORDS_OF = "r.part is null or r.part in (select place from effective)";

    // A denial needs no key: the caller may ask again once the policy allows it.
    private static final String ADMISSIBLE =
            "v.idempotency_key is null or v.status = 'denied' or v.id in (select execution from claimed)";

    private static final String ITS_KEY = """
            k.project = v.project and k.principal = v.principal and k.key = v.key and k.execution = v.execution
                and v.place in (select place from effective)""";

    private static final Comparator<IdempotencyKey> ORDER = Comparator.comparing(
                    (IdempotencyKey key) -> key.project().value())
            .thenComparing(key -> key.principal().value())
            .thenComparing(IdempotencyKey::text);

    /**
     * Each attempt is begun by a decision of its own. The position of the stream alone does not tell attempts: one that lost its place looks it up
     * ({@link ExecutionClosing}), and finds that of the attempt that followed it.
     */
    static final String STILL_THIS_ATTEMPT =
            "(v.begun_by is null or (e.status = 'running' and e.decision_id = v.begun_by))";

    private static final String POSITION = "select audit_sequence, audit_hash from executions where id = $1";

    // A record's hash covers its own random id, so a row that stands at exactly this record was closed by exactly this
    // closure.
    private static final String CLOSED_BY_THESE = """
            select e.id from executions e join unnest($1::text[], $2::text[]) as v(id, audit_hash)
                on e.id = v.id and e.audit_hash = v.audit_hash
            """;

    private final Pool pool;
    private final Outbox outbox;
    private final String incarnation;
    private final Duration timeout;
    private final Duration keysKept;
    private final ToIntFunction<ErrorCode> httpStatus;
    private final QueueStatements queue;

    /** An entry of a batch and where it is in it. */
    record Placed<T>(int place, T entry) {}

    /**
     * @param incarnation names this start of this server as the owner of what it runs
     * @param timeout for one batch
     * @param keysKept how long an idempotency key stands for the execution that it was given to
     * @param httpStatus the one mapping from codes to HTTP
     */
    PostgresExecutionStore(
            Pool pool,
            Outbox outbox,
            String incarnation,
            Duration timeout,
            Duration keysKept,
            ToIntFunction<ErrorCode> httpStatus) {
        this.pool = pool;
        this.outbox = outbox;
        this.incarnation = incarnation;
        this.timeout = timeout;
        this.keysKept = keysKept;
        this.httpStatus = httpStatus;
        this.queue = new QueueStatements(incarnation);
    }

    /**
     * Writes the entries, all or none; says of each whether it took effect. A closure may be written again after a failure, as the
     * commit may have succeeded all the same: what an earlier attempt made of it counts as its effect, and is not made twice. Of several
     * closures of one execution in a batch one takes effect, and of several admissions with one idempotency key one.
     */
    Uni<List<Boolean>> write(List<JournalEntry> entries) {
        JournalStatement statement = new JournalStatement();
        List<Placed<Admission>> claims = claims(entries);
        claim(statement, claims);
        insert(statement, only(Admission.class, entries), claims.isEmpty() ? "true" : ADMISSIBLE);
        List<String> overtakable = queue.overtakable(statement, entries);
        effective(statement, claims, only(Progress.class, entries), only(Closure.class, entries), overtakable);
        logs(statement, only(Closure.class, entries));
        endKeys(statement, only(Closure.class, entries));
        queue.write(statement, entries);
        records(statement, entries);
        return pool.preparedQuery(statement.sql("select place from effective"))
                .execute(statement.parameters())
                .map(PostgresExecutionStore::places)
                .invoke(places -> outbox.committed(recordsOf(entries, places)))
                .chain(places -> effects(entries, places)
                        .onFailure()
                        // Not to be taken for a failure of what is committed.
                        .transform(
                                failure -> new IllegalStateException("what of it took effect is not known", failure)))
                .ifNoItem()
                .after(timeout)
                .fail();
    }

    /** Where the audit stream of an execution stands. */
    Uni<StreamPosition> position(ExecutionId id) {
        return pool.preparedQuery(POSITION)
                .execute(Tuple.of(id.value()))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    Row row = rows.iterator().next();
                    return new StreamPosition(
                            StreamPosition.startOf(id).stream(),
                            row.getLong("audit_sequence"),
                            Optional.of(new Digest(row.getString("audit_hash"))));
                });
    }

    static <T extends JournalEntry> List<Placed<T>> only(Class<T> type, List<JournalEntry> entries) {
        List<Placed<T>> found = new ArrayList<>();
        for (int place = 0; place < entries.size(); place++) {
            if (type.isInstance(entries.get(place))) {
                found.add(new Placed<>(place, type.cast(entries.get(place))));
            }
        }
        return found;
    }

    /** Admissions that claim a key, each key once: PostgreSQL refuses a statement that claims one twice. */
    private static List<Placed<Admission>> claims(List<JournalEntry> entries) {
        Map<IdempotencyKey, Placed<Admission>> first = new LinkedHashMap<>();
        for (Placed<Admission> placed : only(Admission.class, entries)) {
            placed.entry().claim().ifPresent(claim -> first.putIfAbsent(claim.key(), placed));
        }
        // In one order everywhere: two servers that claim the same keys must not wait for each other.
        return first.values().stream()
                .sorted(Comparator.comparing(placed -> claim(placed).key(), ORDER))
                .toList();
    }

    private void claim(JournalStatement statement, List<Placed<Admission>> claims) {
        if (claims.isEmpty()) {
            return;
        }
        statement.part(
                "claimed",
                statement
                                .rows(claims)
                                .text("project", c -> claim(c).key().project().value())
                                .text(
                                        "principal",
                                        c -> claim(c).key().principal().value())
                                .text("key", c -> claim(c).key().text())
                                .text("fingerprint", c -> claim(c).fingerprint().value())
                                .text("execution", c -> c.entry().id().value())
                                .times(
                                        "expires_at",
                                        c -> c.entry().requestedAt().plus(keysKept))
                                .insertInto("idempotency_keys")
                        + "\n" + """
                         on conflict (project, principal, key) do update set fingerprint = excluded.fingerprint,
                            execution = excluded.execution, expires_at = excluded.expires_at, http_status = null, envelope = null
                            where idempotency_keys.expires_at <= clock_timestamp()
                                and not exists (select 1 from executions e where e.id = idempotency_keys.execution and e.status in ('queued', 'running'))
                         returning execution""");
    }

    private static IdempotencyClaim claim(Placed<Admission> placed) {
        return placed.entry().claim().orElseThrow();
    }

    private void insert(JournalStatement statement, List<Placed<Admission>> placed, String condition) {
        List<Admission> plain = admissions(placed, true);
        if (!plain.isEmpty()) {
            statement.part("admitted", columns(statement.rows(plain)).insertInto("executions", condition));
        }
        List<Admission> others = admissions(placed, false);
        if (!others.isEmpty()) {
            statement.part(
                    "admitted_others",
                    QueueStatements.columns(columns(statement.rows(others))).insertInto("executions", condition));
        }
    }

    private static List<Admission> admissions(List<Placed<Admission>> placed, boolean plain) {
        return placed.stream()
                .map(Placed::entry)
                .filter(admission -> admission.isPlain() == plain)
                .toList();
    }

    private JournalStatement.Rows<Admission> columns(JournalStatement.Rows<Admission> rows) {
        return rows.text("id", a -> a.id().value())
                .text("tenant", a -> a.caller().scope().tenant().value())
                .text("workspace", a -> a.caller().scope().workspace().value())
                .text("project", a -> a.caller().scope().project().value())
                .text("environment", a -> a.target().environment().orElse(null))
                .text("snapshot_digest", a -> a.target().snapshot().digest().value())
                .text("snapshot_id", a -> a.target().snapshot().snapshotId())
                .text("bundle", a -> a.target().bundle())
                .text("action", Admission::action)
                .text("capability_kind", Admission::capabilityKind)
                .text("capability_name", Admission::capabilityName)
                .text("principal", a -> a.caller().principal().id().value())
                .text("request_id", a -> a.caller().requestId())
                .text("traceparent", a -> a.caller().traceparent())
                .text("idempotency_key", a -> a.idempotencyKey().orElse(null))
                .text("arguments_digest", a -> a.argumentsDigest().value())
                .integers("timeout_ms", Admission::timeoutMs)
                .text("status", a -> a.status().wireName())
                .text("decision_id", a -> a.decision().id().value())
                .text("policy_digest", a -> a.decision().policyDigest().value())
                .text("incarnation", _ -> incarnation)
                .times("requested_at", Admission::requestedAt)
                .times("finished_at", a -> a.ends() ? a.requestedAt() : null)
                .integers(
                        "http_status",
                        a -> a.endedBy().map(httpStatus::applyAsInt).orElse(null))
                .text("error_code", a -> a.endedBy().map(Enum::name).orElse(null))
                .longs("audit_sequence", a -> a.position().sequence())
                .text("audit_hash", a -> a.position().hash().orElseThrow().value());
    }

    /** The places of those that take effect, of what may be overtaken. */
    private static void effective(
            JournalStatement statement,
            List<Placed<Admission>> claims,
            List<Placed<Progress>> steps,
            List<Placed<Closure>> closures,
            List<String> others) {
        List<String> places = new ArrayList<>(others);
        if (!claims.isEmpty()) {
            places.add("select k.place from %s where k.id in (select execution from claimed)"
                    .formatted(statement
                            .rows(claims)
                            .integers("place", Placed::place)
                            .text("id", c -> c.entry().id().value())
                            .as("k")));
        }
        if (!steps.isEmpty()) {
            statement.part("progressed", """
                    update executions e set audit_sequence = v.audit_sequence, audit_hash = v.audit_hash
                    from %s
                    where e.id = v.id and e.status = 'running' and e.audit_sequence = v.continues_from
                    returning v.place
                    """.formatted(progressed(statement, steps)));
            places.add("select place from progressed");
        }
        if (!closures.isEmpty()) {
            // A clock that was set back in between must not make an end come before its beginning.
            statement.part("closed", """
                    update executions e set status = v.status, finished_at = greatest(v.finished_at, e.requested_at), http_status = v.http_status,
                        error_code = nullif(v.error_code, ''), error_message = nullif(v.error_message, ''),
                        result_digest = v.result_digest, cpu_ms = v.cpu_ms, wall_ms = v.wall_ms, max_rss_bytes = v.max_rss_bytes,
                        isolation = v.isolation, worker = v.worker, audit_sequence = v.audit_sequence, audit_hash = v.audit_hash,
                        decision_id = coalesce(v.decision_id, e.decision_id), policy_digest = coalesce(v.policy_digest, e.policy_digest)
                    from %s
                    where e.id = v.id and e.status in ('queued', 'running') and e.audit_sequence = v.continues_from and %s
                    returning v.place
                    """.formatted(closed(statement, closures), STILL_THIS_ATTEMPT));
            places.add("select place from closed");
        }
        statement.part(
                "effective", places.isEmpty() ? "select 0 as place where false" : String.join(" union all ", places));
    }

    private static String progressed(JournalStatement statement, List<Placed<Progress>> steps) {
        return statement
                .rows(steps)
                .integers("place", Placed::place)
                .text("id", p -> p.entry().id().value())
                .longs("audit_sequence", p -> p.entry().position().sequence())
                .text(
                        "audit_hash",
                        p -> p.entry().position().hash().orElseThrow().value())
                .longs("continues_from", p -> continuesFrom(p.entry()))
                .as("v");
    }

    private static String closed(JournalStatement statement, List<Placed<Closure>> closures) {
        return statement
                .rows(closures)
                .integers("place", Placed::place)
                .text("id", c -> c.entry().id().value())
                .text(
                        "begun_by",
                        c -> c.entry().begunBy().map(DecisionId::value).orElse(null))
                .text("status", c -> c.entry().status().wireName())
                .times("finished_at", c -> c.entry().finishedAt())
                .integers("http_status", c -> c.entry().httpStatus())
                .text("error_code", c -> c.entry().errorCode())
                .text("error_message", c -> c.entry().errorMessage())
                .text(
                        "result_digest",
                        c -> c.entry().resultDigest().map(Object::toString).orElse(null))
                .longs("cpu_ms", c -> c.entry().usage().cpuMs())
                .longs("wall_ms", c -> c.entry().usage().wallMs())
                .longs("max_rss_bytes", c -> c.entry().usage().maxRssBytes())
                .text("isolation", c -> c.entry().isolation().value())
                .text("worker", c -> c.entry().worker())
                .text(
                        "decision_id",
                        c -> decision(c.entry()).map(one -> one.id().value()).orElse(null))
                .text(
                        "policy_digest",
                        c -> decision(c.entry())
                                .map(one -> one.policyDigest().value())
                                .orElse(null))
                .longs("audit_sequence", c -> c.entry().position().sequence())
                .text(
                        "audit_hash",
                        c -> c.entry().position().hash().orElseThrow().value())
                .longs("continues_from", c -> continuesFrom(c.entry()))
                .as("v");
    }

    /** The sequence of the record that must be the stream's last for this entry to take effect. */
    private static long continuesFrom(Progress entry) {
        return entry.position().sequence() - entry.records().size();
    }

    private static Optional<Decision> decision(Closure entry) {
        return entry.queueEnd().flatMap(QueueEnd::decision);
    }

    private static long continuesFrom(Closure entry) {
        return entry.position().sequence() - entry.records().size();
    }

    private static void logs(JournalStatement statement, List<Placed<Closure>> closures) {
        record Line(int place, ExecutionId execution, int number, JsonText entry) {}
        List<Line> lines = new ArrayList<>();
        for (Placed<Closure> closure : closures) {
            List<JsonText> logs = closure.entry().logs();
            for (int i = 0; i < logs.size(); i++) {
                lines.add(new Line(closure.place(), closure.entry().id(), i + 1, logs.get(i)));
            }
        }
        if (!lines.isEmpty()) {
            statement.part("logged", """
                    insert into execution_logs (execution, line, entry)
                    select v.execution, v.line, v.entry from %s where v.place in (select place from effective)
                    """.formatted(statement
                    .rows(lines)
                    .integers("place", Line::place)
                    .text("execution", line -> line.execution().value())
                    .integers("line", Line::number)
                    .text("entry", line -> line.entry().value())
                    .as("v")));
        }
    }

    private static void endKeys(JournalStatement statement, List<Placed<Closure>> closures) {
        record End(int place, ExecutionId execution, KeyEnd of) {}
        List<End> ends = new ArrayList<>();
        for (Placed<Closure> closure : closures) {
            closure.entry()
                    .keyEnd()
                    .ifPresent(end ->
                            ends.add(new End(closure.place(), closure.entry().id(), end)));
        }
        List<End> answered =
                ends.stream().filter(end -> end.of() instanceof KeyEnd.Answered).toList();
        if (!answered.isEmpty()) {
            statement.part("answered", """
                    update idempotency_keys k set http_status = v.http_status, envelope = v.envelope
                    from %s where %s
                    """.formatted(
                    statement
                            .rows(answered)
                            .integers("place", End::place)
                            .text("execution", end -> end.execution().value())
                            .text("project", end -> end.of().key().project().value())
                            .text("principal", end -> end.of().key().principal().value())
                            .text("key", end -> end.of().key().text())
                            .integers("http_status", end -> ((KeyEnd.Answered) end.of()).httpStatus())
                            .text(
                                    "envelope",
                                    end -> ((KeyEnd.Answered) end.of())
                                            .envelope()
                                            .value())
                            .as("v"),
                    ITS_KEY));
        }
        List<End> released =
                ends.stream().filter(end -> end.of() instanceof KeyEnd.Released).toList();
        if (!released.isEmpty()) {
            statement.part("released", """
                    delete from idempotency_keys k using %s where %s
                    """.formatted(
                    statement
                            .rows(released)
                            .integers("place", End::place)
                            .text("execution", end -> end.execution().value())
                            .text("project", end -> end.of().key().project().value())
                            .text("principal", end -> end.of().key().principal().value())
                            .text("key", end -> end.of().key().text())
                            .as("v"),
                    ITS_KEY));
        }
    }

    private void records(JournalStatement statement, List<JournalEntry> entries) {
        List<AuditRecord> records = new ArrayList<>();
        List<@Nullable Integer> parts = new ArrayList<>();
        for (int place = 0; place < entries.size(); place++) {
            JournalEntry entry = entries.get(place);
            for (AuditRecord record : entry.records()) {
                records.add(record);
                parts.add(alwaysTakesEffect(entry) ? null : place);
            }
        }
        Outbox.Insert insert = outbox.insert(records, parts, RECORDS_OF, statement.nextParameter());
        statement.part("recorded", insert.sql());
        statement.parameters(insert.parameters());
    }

    static boolean alwaysTakesEffect(JournalEntry entry) {
        return entry instanceof Admission admission && admission.claim().isEmpty();
    }

    private static Set<Integer> places(RowSet<Row> rows) {
        Set<Integer> places = new HashSet<>();
        rows.forEach(row -> places.add(row.getInteger(0)));
        return places;
    }

    private static List<AuditRecord> recordsOf(List<JournalEntry> entries, Set<Integer> effective) {
        List<AuditRecord> records = new ArrayList<>();
        for (int place = 0; place < entries.size(); place++) {
            if (alwaysTakesEffect(entries.get(place)) || effective.contains(place)) {
                records.addAll(entries.get(place).records());
            }
        }
        return records;
    }

    private Uni<List<Boolean>> effects(List<JournalEntry> entries, Set<Integer> effective) {
        List<Placed<Closure>> others = only(Closure.class, entries).stream()
                .filter(closure -> !effective.contains(closure.place()))
                .toList();
        return closedByThese(others)
                .map(before -> IntStream.range(0, entries.size())
                        .mapToObj(place -> switch (entries.get(place)) {
                            case Admission admission -> alwaysTakesEffect(admission) || effective.contains(place);
                            case Progress _, Start _, Requeue _ -> effective.contains(place);
                            case Closure closure ->
                                effective.contains(place)
                                        || before.contains(closure.id().value());
                        })
                        .toList());
    }

    // By a statement of its own: the one before may have waited for the attempt that is looked for here, and does not
    // see
    // what that wrote.
    private Uni<Set<String>> closedByThese(List<Placed<Closure>> closures) {
        if (closures.isEmpty()) {
            return Uni.createFrom().item(Set.of());
        }
        return pool.preparedQuery(CLOSED_BY_THESE)
                .execute(Tuple.tuple()
                        .addArrayOfString(closures.stream()
                                .map(c -> c.entry().id().value())
                                .toArray(String[]::new))
                        .addArrayOfString(closures.stream()
                                .map(c -> c.entry()
                                        .position()
                                        .hash()
                                        .orElseThrow()
                                        .value())
                                .toArray(String[]::new)))
                .map(rows -> {
                    Set<String> ids = new HashSet<>();
                    rows.forEach(row -> ids.add(row.getString(0)));
                    return ids;
                });
    }
}
