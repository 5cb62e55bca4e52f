package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Asks running executions to stop, and ends queued ones without running them. The wish is on record before anything is stopped; the server that runs the execution hears of it at
 * once when it is this one, and with its next heartbeat when it is another. How an execution ends is recorded as always: it may also
 * end by itself before it hears.
 *
 * <p>Wishes have a table of their own: a row of {@code executions} that a slow transaction holds would hold up the journal. Thread-safe.
 */
public final class ExecutionCancellation {
    /** Executions that one call stops at most. */
    public static final int MANY_MAX = 1_000;

    private static final String WISH = """
            insert into execution_cancellations (execution)
            select id from executions
            where tenant = $1 and project = $2 and status in ('queued', 'running')
                and ($3::text is null or id = $3)
                and ($4::text is null or capability_name = $4)
                and ($5::text is null or principal = $5)
            order by id limit $6
            on conflict (execution) do update set execution = excluded.execution
            returning execution
            """;
    private static final String MINE = """
            select c.execution from execution_cancellations c join executions e on e.id = c.execution
            where e.incarnation = $1 and e.status = 'running' limit $2
            """;
    /** Of attempts and the decisions that they were begun by, those that are under way no more. */
    private static final String SUPERSEDED = """
            select v.id, v.begun_by from unnest($1::text[], $2::text[]) as v(id, begun_by)
            where not exists (
                select from executions e where e.id = v.id and e.status = 'running' and e.decision_id = v.begun_by)
            """;

    private static final String WAITING = """
            select c.execution from execution_cancellations c join executions e on e.id = c.execution
            where e.status = 'queued' limit $1
            """;
    private static final String FORGET = """
            delete from execution_cancellations where execution in (
                select c.execution from execution_cancellations c join executions e on e.id = c.execution
                where e.status not in ('queued', 'running') limit $1)
            """;

    private final Pool pool;
    private final ControlAudit audit;
    private final LiveExecutions live;
    private final String incarnation;
    private final Duration timeout;
    private final Function<List<ExecutionId>, Uni<Void>> endWaiting;

    /** @param endWaiting ends those of them that wait in the queue */
    ExecutionCancellation(
            Pool pool,
            ControlAudit audit,
            LiveExecutions live,
            Function<List<ExecutionId>, Uni<Void>> endWaiting,
            String incarnation,
            Duration timeout) {
        this.pool = pool;
        this.audit = audit;
        this.live = live;
        this.endWaiting = endWaiting;
        this.incarnation = incarnation;
        this.timeout = timeout;
    }

    /**
     * Which of the running executions of a project.
     *
     * @param execution exactly this one
     * @param capability those of capabilities with this name
     * @param principal those that this principal asked for
     */
    public record Which(Optional<ExecutionId> execution, Optional<String> capability, Optional<String> principal) {}

    /** Asks those that wait or run to stop, {@link #MANY_MAX} at most; the item is which they are. Those that wait have ended then. */
    public Uni<List<ExecutionId>> cancel(ProjectScope scope, AuditContext context, Which which) {
        return pool.withTransaction(transaction ->
                        wish(transaction, scope, which).call(asked -> record(transaction, context, scope, asked)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .invoke(asked -> asked.forEach(live::cancel))
                .call(endWaiting::apply);
    }

    /**
     * Stops those of this server that others were asked to stop, and those that others closed or began again while this one was silent; forgets
     * what has ended. Called with each heartbeat.
     */
    public Uni<Void> heed() {
        return heedWishes().chain(this::stopSuperseded);
    }

    /** Their ends would be dropped, and what they do meanwhile may be done twice. One that has just ended by itself is found too, and hears nothing. */
    private Uni<Void> stopSuperseded() {
        List<String> ids = new ArrayList<>();
        List<String> decisions = new ArrayList<>();
        live.begun().forEach((id, by) -> {
            ids.add(id.value());
            decisions.add(by.value());
        });
        if (ids.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        return pool.preparedQuery(SUPERSEDED)
                .execute(Tuple.of(ids.toArray(String[]::new), decisions.toArray(String[]::new)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .invoke(rows -> rows.forEach(
                        row -> live.cancel(new ExecutionId(row.getString(0)), new DecisionId(row.getString(1)))))
                .replaceWithVoid();
    }

    private Uni<Void> heedWishes() {
        return pool.preparedQuery(MINE)
                .execute(Tuple.of(incarnation, MANY_MAX))
                .ifNoItem()
                .after(timeout)
                .fail()
                .invoke(rows -> ids(rows).forEach(live::cancel))
                .chain(() -> pool.preparedQuery(WAITING)
                        .execute(Tuple.of(MANY_MAX))
                        .ifNoItem()
                        .after(timeout)
                        .fail())
                .chain(rows -> endWaiting.apply(ids(rows)))
                .chain(() -> pool.preparedQuery(FORGET)
                        .execute(Tuple.of(MANY_MAX))
                        .ifNoItem()
                        .after(timeout)
                        .fail())
                .replaceWithVoid();
    }

    private static Uni<List<ExecutionId>> wish(SqlConnection transaction, ProjectScope scope, Which which) {
        return transaction
                .preparedQuery(WISH)
                .execute(Tuple.from(new ArrayList<>(
                                List.of(scope.tenant().value(), scope.project().value())))
                        .addValue(which.execution().map(ExecutionId::value).orElse(null))
                        .addValue(which.capability().orElse(null))
                        .addValue(which.principal().orElse(null))
                        .addInteger(MANY_MAX))
                .map(ExecutionCancellation::ids);
    }

    private Uni<Void> record(
            SqlConnection transaction, AuditContext context, ProjectScope scope, List<ExecutionId> asked) {
        if (asked.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        boolean one = asked.size() == 1;
        return audit.record(
                transaction,
                context,
                new AuditEvent.ControlChanged(
                        "execution.cancel",
                        one ? asked.getFirst().value() : scope.project().value(),
                        Map.of("executions", Integer.toString(asked.size()))));
    }

    private static List<ExecutionId> ids(RowSet<Row> rows) {
        List<ExecutionId> ids = new ArrayList<>(rows.size());
        rows.forEach(row -> ids.add(new ExecutionId(row.getString(0))));
        return ids;
    }
}
