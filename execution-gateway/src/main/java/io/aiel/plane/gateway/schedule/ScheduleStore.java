package io.aiel.plane.gateway.schedule;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.database.LimitedPool;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Schedules in PostgreSQL. A claim is a time: a server that dies has nothing to give back, and what it began of a due time is known by the run's
 * row, which is written with the admission. Each change is one transaction with its record. Thread-safe.
 */
final class ScheduleStore {
    private static final String IN_PROJECT = "tenant = $1 and project = $2";

    private static final String INSERT = """
            insert into schedules (id, tenant, workspace, project, name, cron, time_zone, request, capability_kind, capability_name,
                overlap, catch_up, catch_up_window_s, paused, principal, principal_kind, token, source_address, base_url,
                created_at, updated_at, next_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20, $21)
            returning *
            """;
    private static final String REPLACE = """
            update schedules set name = $5, cron = $6, time_zone = $7, request = $8, capability_kind = $9, capability_name = $10,
                overlap = $11, catch_up = $12, catch_up_window_s = $13, paused = $14, principal = $15, principal_kind = $16,
                token = $17, source_address = $18, base_url = $19, updated_at = $20, next_at = $21, waiting_at = null, claimed_until = null,
                revision = revision + 1
            where id = $1 and tenant = $2 and workspace = $3 and project = $4
            returning *
            """;
    private static final String PAUSE = """
            update schedules set paused = $4, next_at = $5, waiting_at = null, claimed_until = null, updated_at = $6, revision = revision + 1
            where %s and id = $3
            returning *
            """.formatted(IN_PROJECT);
    // What waits comes last: it is looked at again and again, and must not keep what is due from being begun.
    private static final String CLAIM = """
            update schedules set claimed_until = clock_timestamp() + $2::bigint * interval '1 millisecond'
            where id in (
                select id from schedules
                where (next_at <= $3 or waiting_at is not null) and (claimed_until is null or claimed_until < clock_timestamp())
                order by coalesce(next_at <= $3, false) desc, least(next_at, waiting_at) limit $1 for update skip locked)
            returning *
            """;
    private static final String CLAIM_ONE = """
            update schedules set claimed_until = clock_timestamp() + $4::bigint * interval '1 millisecond'
            where %s and id = $3 and (claimed_until is null or claimed_until < clock_timestamp())
            returning *
            """.formatted(IN_PROJECT);
    private static final String RELEASE =
            "update schedules set claimed_until = null where id = $1 and claimed_until = $2";
    private static final String ADVANCE = """
            update schedules set next_at = $3, claimed_until = clock_timestamp() + $4::bigint * interval '1 millisecond', waiting_at = $5
            where id = $1 and revision = $2
            """;
    private static final String RUN = """
            insert into schedule_runs (schedule, due_at, outcome, code, at) values ($1, $2, $3, $4, clock_timestamp())
            on conflict (schedule, due_at) do nothing
            """;
    // What goes on is kept, however many came after it: by its row a due time knows that an earlier run has not ended.
    private static final String FORGET = """
            delete from schedule_runs r where r.schedule = $1 and r.due_at < (
                    select min(due_at) from (
                        select due_at from schedule_runs where schedule = $1 order by due_at desc limit $2) as kept)
                and not exists (select from executions e where e.id = r.execution and e.status in ('queued', 'running'))
            """;
    private static final String ACTIVE = """
            select e.id from schedule_runs r join executions e on e.id = r.execution
            where r.schedule = $1 and e.status in ('queued', 'running') order by e.id
            """;

    private final LimitedPool database;
    private final ControlAudit audit;
    private final ScheduleSettings settings;

    ScheduleStore(Pool pool, ControlAudit audit, ScheduleSettings settings) {
        this.database = new LimitedPool(pool, settings.statementTimeout());
        this.audit = audit;
        this.settings = settings;
    }

    /**
     * What became of a due time that was not queued.
     *
     * @param outcome {@code refused}, {@code skipped} or {@code missed}
     * @param code the error code of a refusal; else empty text
     */
    record Passed(Instant dueAt, String outcome, String code) {}

    /** A new one; empty when the project has as many as it may. */
    Uni<Optional<Schedule>> create(
            AuditContext context, Caller caller, String id, ScheduleWish wish, Instant now, Optional<Instant> next) {
        String project = caller.scope().project().value();
        return database.transaction(connection -> connection
                .preparedQuery("select pg_advisory_xact_lock(hashtextextended('schedules/' || $1::text, 0))")
                .execute(Tuple.of(project))
                .chain(() -> connection
                        .preparedQuery("select count(*) from schedules where project = $1")
                        .execute(Tuple.of(project)))
                .chain(rows -> rows.iterator().next().getLong(0) >= settings.projectMax()
                        ? Uni.createFrom().item(Optional.<Schedule>empty())
                        : connection
                                .preparedQuery(INSERT)
                                .execute(parameters(caller, id, wish, now, next))
                                .map(ScheduleStore::one)
                                .call(() -> record(connection, context, "schedule.created", id, facts(wish)))));
    }

    /** The same schedule as it is wanted now; empty when the project has none with this id. */
    Uni<Optional<Schedule>> replace(
            AuditContext context, Caller caller, String id, ScheduleWish wish, Instant now, Optional<Instant> next) {
        return database.transaction(connection -> connection
                .preparedQuery(REPLACE)
                .execute(parameters(caller, id, wish, now, next))
                .map(ScheduleStore::one)
                .call(found -> recordIf(found, connection, context, "schedule.replaced", id, facts(wish))));
    }

    /** Pauses it, or lets it go on from {@code next}. */
    Uni<Optional<Schedule>> pause(
            AuditContext context, ProjectScope scope, String id, boolean paused, Optional<Instant> next, Instant now) {
        return database.transaction(connection -> connection
                .preparedQuery(PAUSE)
                .execute(of(scope)
                        .addString(id)
                        .addBoolean(paused)
                        .addValue(next.map(ScheduleStore::time).orElse(null))
                        .addOffsetDateTime(time(now)))
                .map(ScheduleStore::one)
                .call(found -> recordIf(
                        found, connection, context, paused ? "schedule.paused" : "schedule.resumed", id, Map.of())));
    }

    Uni<Boolean> delete(AuditContext context, ProjectScope scope, String id) {
        return database.transaction(connection -> connection
                .preparedQuery("delete from schedules where " + IN_PROJECT + " and id = $3 returning *")
                .execute(of(scope).addString(id))
                .map(ScheduleStore::one)
                .call(found -> found.isEmpty()
                        ? Uni.createFrom().voidItem()
                        : connection
                                .preparedQuery("delete from schedule_runs where schedule = $1")
                                .execute(Tuple.of(id))
                                .replaceWithVoid())
                .call(found -> recordIf(found, connection, context, "schedule.deleted", id, Map.of()))
                .map(Optional::isPresent));
    }

    Uni<Optional<Schedule>> find(ProjectScope scope, String id) {
        return database.run(
                        "select * from schedules where " + IN_PROJECT + " and id = $3",
                        of(scope).addString(id))
                .map(ScheduleStore::one);
    }

    /** A page in the order of their ids. */
    Uni<List<Schedule>> list(ProjectScope scope, String after, int rows) {
        return database.run(
                        "select * from schedules where " + IN_PROJECT + " and id > $3 order by id limit $4",
                        of(scope).addString(after).addInteger(rows))
                .map(ScheduleStore::all);
    }

    /** The due times of a schedule that were dealt with, newest first. */
    Uni<JsonArray> runs(String id, int rows) {
        return database.run(
                        "select * from schedule_runs where schedule = $1 order by due_at desc limit $2",
                        Tuple.of(id, rows))
                .map(found -> {
                    JsonArray runs = new JsonArray();
                    found.forEach(row -> runs.add(new JsonObject()
                            .put("due_at", Schedule.time(row.getOffsetDateTime("due_at")))
                            .put("outcome", row.getString("outcome"))
                            .put("execution_id", row.getString("execution"))
                            .put("error_code", row.getString("code"))
                            .put("at", Schedule.time(row.getOffsetDateTime("at")))));
                    return runs;
                });
    }

    /** Takes those that are due, for a while. */
    Uni<List<Schedule>> claim(Duration lease, Instant now) {
        return database.run(CLAIM, Tuple.of(settings.claimedAtOnce(), lease.toMillis(), time(now)))
                .map(ScheduleStore::all);
    }

    /**
     * One that was taken for somebody who does not wait for its due time.
     *
     * @param until what gives it back
     */
    record Claimed(Schedule schedule, OffsetDateTime until) {}

    /** Takes this one, unless somebody has it. */
    Uni<Optional<Claimed>> claim(ProjectScope scope, String id, Duration lease) {
        return database.run(CLAIM_ONE, of(scope).addString(id).addLong(lease.toMillis()))
                .map(rows -> rows.size() == 0
                        ? Optional.empty()
                        : Optional.of(claimed(rows.iterator().next())));
    }

    private static Claimed claimed(Row row) {
        return new Claimed(Schedule.of(row), row.getOffsetDateTime("claimed_until"));
    }

    Uni<Void> release(Claimed claimed) {
        return database.run(RELEASE, Tuple.of(claimed.schedule().id(), claimed.until()))
                .replaceWithVoid();
    }

    /** Puts on record that somebody wants a run now. */
    Uni<Void> triggered(AuditContext context, Schedule schedule, Instant dueAt) {
        return database.transaction(connection ->
                record(connection, context, "schedule.triggered", schedule.id(), Map.of("due_at", dueAt.toString())));
    }

    /** Whether this due time was dealt with. */
    Uni<Boolean> isDone(Schedule schedule, Instant dueAt) {
        return database.run(
                        "select 1 from schedule_runs where schedule = $1 and due_at = $2",
                        Tuple.of(schedule.id(), time(dueAt)))
                .map(rows -> rows.rowCount() > 0);
    }

    /** Executions of it that have not ended. */
    Uni<List<ExecutionId>> active(Schedule schedule) {
        return database.run(ACTIVE, Tuple.of(schedule.id())).map(rows -> {
            List<ExecutionId> ids = new ArrayList<>();
            rows.forEach(row -> ids.add(new ExecutionId(row.getString("id"))));
            return ids;
        });
    }

    /**
     * Writes what was passed over, with its record, and when it is due next; unless it was changed meanwhile, which says that itself.
     *
     * @param waiting the due time that waits for an earlier run, if one does
     * @param after nobody looks at it before
     */
    Uni<Void> advance(
            Schedule schedule, List<Passed> passed, Optional<Instant> waiting, Optional<Instant> next, Duration after) {
        return database.transaction(connection -> connection
                .preparedQuery(ADVANCE)
                .execute(Tuple.tuple()
                        .addString(schedule.id())
                        .addLong(schedule.revision())
                        .addValue(next.map(ScheduleStore::time).orElse(null))
                        .addLong(after.toMillis())
                        .addValue(waiting.map(ScheduleStore::time).orElse(null)))
                .chain(() -> passed(connection, schedule, passed))
                .chain(() -> connection
                        .preparedQuery(FORGET)
                        .execute(Tuple.of(schedule.id(), settings.runsKept()))
                        .replaceWithVoid()));
    }

    private Uni<Void> passed(SqlConnection connection, Schedule schedule, List<Passed> passed) {
        Uni<Void> written = Uni.createFrom().voidItem();
        for (Passed one : passed) {
            written = written.chain(() -> connection
                    .preparedQuery(RUN)
                    .execute(Tuple.tuple()
                            .addString(schedule.id())
                            .addOffsetDateTime(time(one.dueAt()))
                            .addString(one.outcome())
                            .addValue(one.code().isEmpty() ? null : one.code()))
                    .chain(rows -> rows.rowCount() == 0
                            ? Uni.createFrom().voidItem()
                            : record(
                                    connection,
                                    schedule.auditContext(),
                                    "schedule." + one.outcome(),
                                    schedule.id(),
                                    one.code().isEmpty()
                                            ? Map.of("due_at", one.dueAt().toString())
                                            : Map.of("due_at", one.dueAt().toString(), "code", one.code()))));
        }
        return written;
    }

    private static Map<String, String> facts(ScheduleWish wish) {
        return Map.of(
                "name", wish.name(),
                "cron", wish.recurrence().cron().toString(),
                "time_zone", wish.recurrence().zone().getId(),
                "overlap", wish.treatment().overlap().wireName(),
                "catch_up", wish.treatment().catchUp().wireName(),
                "paused", Boolean.toString(wish.paused()));
    }

    private static Tuple parameters(Caller caller, String id, ScheduleWish wish, Instant now, Optional<Instant> next) {
        return Tuple.tuple()
                .addString(id)
                .addString(caller.scope().tenant().value())
                .addString(caller.scope().workspace().value())
                .addString(caller.scope().project().value())
                .addString(wish.name())
                .addString(wish.recurrence().cron().toString())
                .addString(wish.recurrence().zone().getId())
                .addString(wish.request().toString())
                .addValue(textOf(wish, "kind"))
                .addValue(textOf(wish, "handler"))
                .addString(wish.treatment().overlap().wireName())
                .addString(wish.treatment().catchUp().wireName())
                .addInteger(Math.toIntExact(wish.treatment().window().toSeconds()))
                .addBoolean(wish.paused())
                .addString(caller.principal().id().value())
                .addString(caller.principal().kind().name())
                .addString(caller.principal().tokenId().value())
                .addString(caller.sourceAddress())
                .addString(caller.baseUrl())
                .addOffsetDateTime(time(now))
                .addValue(next.map(ScheduleStore::time).orElse(null));
    }

    private static @Nullable String textOf(ScheduleWish wish, String member) {
        return wish.request().path(member).isTextual()
                ? wish.request().path(member).asText()
                : null;
    }

    private static Tuple of(ProjectScope scope) {
        return Tuple.tuple()
                .addString(scope.tenant().value())
                .addString(scope.project().value());
    }

    private Uni<Void> recordIf(
            Optional<Schedule> found,
            SqlConnection connection,
            AuditContext context,
            String what,
            String id,
            Map<String, String> facts) {
        return found.isEmpty() ? Uni.createFrom().voidItem() : record(connection, context, what, id, facts);
    }

    private Uni<Void> record(
            SqlConnection connection, AuditContext context, String what, String id, Map<String, String> facts) {
        return audit.record(connection, context, new AuditEvent.ControlChanged(what, id, facts));
    }

    private static Optional<Schedule> one(RowSet<Row> rows) {
        return all(rows).stream().findFirst();
    }

    private static List<Schedule> all(RowSet<Row> rows) {
        List<Schedule> found = new ArrayList<>(rows.size());
        rows.forEach(row -> found.add(Schedule.of(row)));
        return found;
    }

    private static OffsetDateTime time(Instant instant) {
        return instant.atOffset(ZoneOffset.UTC);
    }
}
