package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * The queue in PostgreSQL: who may begin what. Work gets into it with its admission and out of it with its end, in the journal's
 * statements ({@link QueueStatements}); here it is claimed, given back and counted.
 *
 * <p>A claim is a lease: it holds as long as the server that made it says that it lives ({@code plane_nodes}). Thread-safe.
 */
final class ExecutionQueue implements QueueDispatcher.Claims {
    /** The channel on which inserts are told. */
    static final String CHANNEL = "plane_execution_queue";

    /**
     * Claims for $1 at most $2 of those that are ready. Projects get turns: what a project has in hand already ($3, $4) counts as turns that
     * it has had, so one that waits with much does not hold up another's first; none gets more than $5. The projects are found one by one
     * in the index, as a hundred of them must not cost a look at all that waits.
     *
     * <p>Its commit is not waited for ({@code lax}): a claim that a crash of the database loses was not begun, as a start is on record only
     * where its claim is, and is flushed after it.
     *
     * <p>Each step finds the few rows of the next by their keys, whatever the planner makes of parameters that it does not know: it takes a limit
     * for a tenth of all rows, and would read all that waits and all that ever ran.
     *
     * <p>Rows that another server is claiming are passed over ({@code skip locked}); one that it has claimed since this statement began is
     * looked at again under the lock, and is then no longer free.
     */
    private static final String CLAIM = """
            with recursive lax as materialized (
                select set_config('synchronous_commit', 'off', true)
            ), projects (project) as (
                (select project from execution_queue where claimed_by is null order by project limit 1)
                union all
                select (select n.project from execution_queue n
                        where n.claimed_by is null and n.project > p.project order by n.project limit 1)
                from projects p where p.project is not null
            ), candidates as (
                select c.execution, c.priority, c.ready_at, coalesce(h.held, 0) + c.turn as turn
                from projects p left join unnest($3::text[], $4::int[]) as h (project, held) on h.project = p.project
                cross join lateral (
                    select w.*, row_number() over (order by w.priority desc, w.ready_at, w.execution) as turn from (
                        select q.execution, q.priority, q.ready_at from execution_queue q
                        where q.project = p.project and q.claimed_by is null and q.ready_at <= statement_timestamp()
                        order by q.priority desc, q.ready_at, q.execution
                        limit greatest($5::int - coalesce(h.held, 0), 0)) as w) as c
                where p.project is not null
            ), chosen as (
                select q.execution from (select execution from candidates order by turn, priority desc, ready_at) c
                cross join lateral (
                    select l.execution from execution_queue l where l.execution = c.execution and l.claimed_by is null
                    for update skip locked) q
                limit $2
            ), claimed as (
                update execution_queue q set claimed_by = $1, claimed_at = clock_timestamp()
                from lax where q.execution = any(array(select execution from chosen))
                returning q.*
            )
            select %s from claimed q cross join lateral (select * from executions where id = q.execution limit 1) e order by e.id
            """.formatted(QueuedExecution.COLUMNS);

    private static final String GIVE_BACK = """
            update execution_queue set claimed_by = null, claimed_at = null, ready_at = case when $3::bigint = 0 then ready_at
                else greatest(ready_at, clock_timestamp() + $3::bigint * interval '1 millisecond') end
            where execution = $1 and claimed_by = $2 and exists (select from executions where id = $1 and status = 'queued')
            """;

    /**
     * Claims of servers that are gone, of executions that they had not begun: nothing ran, so they are free again. $1 this node, $2 this
     * start of it, $3 how long a server may be silent, $4 what this one has in hand. What had begun is recovery's
     * ({@link ExecutionRecovery}).
     */
    private static final String FREE = """
            update execution_queue set claimed_by = null, claimed_at = null where execution in (
                select q.execution from execution_queue q
                    join executions e on e.id = q.execution left join plane_nodes n on n.incarnation = q.claimed_by
                where q.claimed_by is not null and e.status = 'queued' and (
                    n.incarnation is null
                    or (n.node = $1 and n.incarnation <> $2)
                    or (n.incarnation <> $2 and n.heartbeat_at < clock_timestamp() - $3::bigint * interval '1 millisecond')
                    or (n.incarnation = $2 and q.execution <> all($4::text[])
                        and q.claimed_at < clock_timestamp() - interval '1 minute')))
            """;

    private static final String COUNT = "select count(*) as found from execution_queue where project = $1";

    private static final String COUNT_ALL = "select count(*) as found from execution_queue";

    private static final String FIND = "select " + QueuedExecution.COLUMNS
            + " from execution_queue q join executions e on e.id = q.execution where q.execution = any($1::text[]) and e.status = 'queued'";

    private final Pool pool;
    private final String incarnation;
    private final Duration timeout;

    ExecutionQueue(Pool pool, String incarnation, Duration timeout) {
        this.pool = pool;
        this.incarnation = incarnation;
        this.timeout = timeout;
    }

    @Override
    public Uni<List<QueuedExecution>> claim(int most, Map<ProjectId, Integer> held, int projectMax) {
        List<String> projects = new ArrayList<>();
        List<Integer> counts = new ArrayList<>();
        held.forEach((project, count) -> {
            projects.add(project.value());
            counts.add(count);
        });
        return execute(
                        CLAIM,
                        Tuple.tuple()
                                .addString(incarnation)
                                .addInteger(most)
                                .addArrayOfString(projects.toArray(String[]::new))
                                .addArrayOfInteger(counts.toArray(Integer[]::new))
                                .addInteger(projectMax))
                .map(ExecutionQueue::executions);
    }

    @Override
    public Uni<Void> giveBack(ExecutionId id, Duration after) {
        return execute(GIVE_BACK, Tuple.of(id.value(), incarnation, after.toMillis()))
                .replaceWithVoid();
    }

    /** Frees what servers claimed that are gone; the item is how many there were. */
    Uni<Integer> free(String node, Duration silence, Collection<ExecutionId> inHand) {
        return execute(
                        FREE,
                        Tuple.tuple()
                                .addString(node)
                                .addString(incarnation)
                                .addLong(silence.toMillis())
                                .addArrayOfString(
                                        inHand.stream().map(ExecutionId::value).toArray(String[]::new)))
                .map(RowSet::rowCount);
    }

    /** How many of a project are in the queue, begun ones included. */
    Uni<Integer> count(ProjectId project) {
        return execute(COUNT, Tuple.of(project.value())).map(ExecutionQueue::found);
    }

    /** How many are in the queue, begun ones included. */
    Uni<Integer> countAll() {
        return execute(COUNT_ALL, Tuple.tuple()).map(ExecutionQueue::found);
    }

    private static int found(RowSet<Row> rows) {
        return rows.iterator().next().getLong("found").intValue();
    }

    /** Those of these that wait. */
    Uni<List<QueuedExecution>> waiting(Collection<ExecutionId> ids) {
        return execute(
                        FIND,
                        Tuple.tuple()
                                .addArrayOfString(
                                        ids.stream().map(ExecutionId::value).toArray(String[]::new)))
                .map(ExecutionQueue::executions);
    }

    private Uni<RowSet<Row>> execute(String sql, Tuple parameters) {
        return pool.preparedQuery(sql)
                .execute(parameters)
                .ifNoItem()
                .after(timeout)
                .fail();
    }

    private static List<QueuedExecution> executions(RowSet<Row> rows) {
        List<QueuedExecution> found = new ArrayList<>(rows.size());
        rows.forEach(row -> found.add(QueuedExecution.of(row)));
        return found;
    }
}
