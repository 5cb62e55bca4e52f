package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.Usage;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.ToIntFunction;
import org.jboss.logging.Logger;

/**
 * Closes as {@code lost} what nobody works on any more, so that every execution gets exactly one terminal record and none is
 * run twice. Looks after three sorts: executions of an earlier start of this node, executions of nodes whose heartbeat
 * stopped, and admissions of this start whose commit succeeded although the caller was told that it failed. Also forgets idempotency
 * keys whose time is over. What was queued and may be tried again is put back into the queue instead ({@link QueueRecovery}).
 *
 * <p>Thread-safe; one per server.
 */
public final class ExecutionRecovery {
    private static final Logger LOG = Logger.getLogger(ExecutionRecovery.class);
    private static final int BATCH_MAX = 500;
    private static final Duration FOR_EVER = Duration.ofDays(3_650);

    /**
     * Executions nobody owns: $1 this node, $2 this incarnation, $3 a heartbeat older than so many milliseconds is a dead node's, $4
     * what this start is working on. Its own it knows exactly, so there no time is needed. Heartbeats are written and compared by the
     * database's clock alone: a server whose clock is wrong, or is set back, must not look dead to the others, nor they to it.
     */
    private static final String ORPHANS = """
            select %s, e.incarnation
            from executions e left join plane_nodes n on n.incarnation = e.incarnation
                left join execution_queue q on q.execution = e.id
            where e.status = 'running' and (
                n.incarnation is null
                or (n.node = $1 and n.incarnation <> $2)
                or (n.incarnation <> $2 and n.heartbeat_at < clock_timestamp() - $3::bigint * interval '1 millisecond')
                or (n.incarnation = $2 and e.id <> all($4::text[])))
            order by e.id limit $5
            """.formatted(QueuedExecution.COLUMNS);

    // Repeated when the first attempt passed its time limit, and may have been committed; and at each beat, since
    // others forget a server that was silent for long, and one that is not known has all that it runs closed.
    private static final String ANNOUNCE = """
            insert into plane_nodes (node, incarnation, started_at, heartbeat_at) values ($1, $2, clock_timestamp(), clock_timestamp())
            on conflict (incarnation) do update set heartbeat_at = excluded.heartbeat_at
            """;
    private static final String FORGET = """
            delete from plane_nodes n where n.heartbeat_at < clock_timestamp() - $1::bigint * interval '1 millisecond'
                and not exists (select 1 from executions e where e.incarnation = n.incarnation and e.status = 'running')
            """;

    private final Pool pool;
    private final ExecutionJournal journal;
    private final IdempotencyKeys keys;
    private final QueueRecovery queue;
    private final ToIntFunction<ErrorCode> httpStatus;
    private final LiveExecutions live;
    private final AuditCodec codec;
    private final Clock clock;
    private final String node;
    private final String incarnation;
    private final Duration deadAfter;
    private final Duration timeout;
    private volatile boolean missed;
    private volatile boolean wasAway;
    private volatile long backSinceNanos;

    /**
     * @param node the stable name of this server; a new start with the same name ends the claims of the one before
     * @param incarnation names this start
     * @param deadAfter how long a node may be silent
     * @param timeout for one statement
     */
    ExecutionRecovery(
            Pool pool,
            ExecutionJournal journal,
            IdempotencyKeys keys,
            QueueRecovery queue,
            ToIntFunction<ErrorCode> httpStatus,
            LiveExecutions live,
            AuditCodec codec,
            Clock clock,
            String node,
            String incarnation,
            Duration deadAfter,
            Duration timeout) {
        this.pool = pool;
        this.journal = journal;
        this.keys = keys;
        this.queue = queue;
        this.httpStatus = httpStatus;
        this.live = live;
        this.codec = codec;
        this.clock = clock;
        this.node = node;
        this.incarnation = incarnation;
        this.deadAfter = deadAfter;
        this.timeout = timeout;
    }

    /** Announces this start and closes what its predecessor left; the item is how many there were. */
    public Uni<Integer> start() {
        return pool.preparedQuery(ANNOUNCE)
                .execute(Tuple.of(node, incarnation))
                .ifNoItem()
                .after(timeout)
                .fail()
                .chain(this::sweep);
    }

    /** Says that this node is alive. */
    public Uni<Void> beat() {
        return pool.preparedQuery(ANNOUNCE)
                .execute(Tuple.of(node, incarnation))
                .ifNoItem()
                .after(timeout)
                .fail()
                .onFailure()
                .invoke(() -> missed = true)
                .invoke(this::heard)
                .replaceWithVoid();
    }

    private void heard() {
        if (missed) {
            backSinceNanos = System.nanoTime();
            wasAway = true;
            missed = false;
        }
    }

    /**
     * How old a heartbeat of others must be. When the database was away, the others could not beat either, and whoever comes back first
     * must not take them for dead: they are given as long to be heard as after any other beat.
     */
    private Duration silence() {
        boolean backJustNow = missed || (wasAway && System.nanoTime() - backSinceNanos < deadAfter.toNanos());
        return backJustNow ? FOR_EVER : deadAfter;
    }

    /** Closes what nobody works on; the item is how many there were. */
    public Uni<Integer> sweep() {
        String[] own = live.ids().stream().map(ExecutionId::value).toArray(String[]::new);
        Duration silence = silence();
        Tuple parameters = Tuple.of(node, incarnation, silence.toMillis(), own, BATCH_MAX);
        return pool.preparedQuery(ORPHANS)
                .execute(parameters)
                .ifNoItem()
                .after(timeout)
                .fail()
                .onItem()
                .transformToMulti(rows -> Multi.createFrom().iterable(rows))
                .filter(row -> !live.contains(new ExecutionId(row.getString("id"))))
                .onItem()
                .transformToUniAndMerge(this::close)
                .filter(Boolean::booleanValue)
                .collect()
                .asList()
                .map(List::size)
                .call(() -> pool.preparedQuery(FORGET)
                        .execute(Tuple.of(silence.multipliedBy(10).toMillis()))
                        .ifNoItem()
                        .after(timeout)
                        .fail())
                .call(keys::forget)
                .call(() -> queue.tidy(node, silence));
    }

    /** What surely never began leaves its key free: its caller was told so. What may have done its work does not. */
    private Optional<KeyEnd> keyEnd(ExecutionId id, Row row) {
        String key = row.getString("idempotency_key");
        return key != null && surelyNotBegun(id, row)
                ? Optional.of(new KeyEnd.Released(new IdempotencyKey(
                        new ProjectId(row.getString("project")), new PrincipalId(row.getString("principal")), key)))
                : Optional.empty();
    }

    /** That it could not be begun here says nothing of what another server began since. */
    private boolean surelyNotBegun(ExecutionId id, Row row) {
        return incarnation.equals(row.getString("incarnation")) && live.surelyNotBegun(id);
    }

    private Uni<Boolean> close(Row row) {
        ExecutionId id = new ExecutionId(row.getString("id"));
        if (QueuedExecution.isQueued(row)) {
            return queue.recover(QueuedExecution.of(row), surelyNotBegun(id, row));
        }
        AuditContext context = new AuditContext(
                new TenantId(row.getString("tenant")),
                Optional.of(new WorkspaceId(row.getString("workspace"))),
                Optional.of(new ProjectId(row.getString("project"))),
                Optional.of(new PrincipalId(row.getString("principal"))),
                row.getString("request_id"),
                row.getString("traceparent"));
        StreamPosition position = new StreamPosition(
                StreamPosition.startOf(id).stream(),
                row.getLong("audit_sequence"),
                Optional.of(new Digest(row.getString("audit_hash"))));
        AuditChain chain = AuditChain.resume(codec, context, position);
        AuditRecord record = chain.appendLost(id);
        Closure closure = new Closure(
                id,
                Optional.empty(),
                ExecutionStatus.LOST,
                httpStatus.applyAsInt(ErrorCode.EXECUTION_LOST),
                ErrorCode.EXECUTION_LOST.name(),
                ErrorCode.EXECUTION_LOST.title(),
                Optional.empty(),
                Usage.NONE,
                new JsonText("{}"),
                "",
                clock.instant(),
                List.of(),
                keyEnd(id, row),
                Optional.empty(),
                List.of(record),
                chain.position());
        return journal.write(closure).invoke(effective -> {
            if (effective) {
                LOG.infof("closed %s as lost: its server ended before it did", id);
            }
        });
    }
}
