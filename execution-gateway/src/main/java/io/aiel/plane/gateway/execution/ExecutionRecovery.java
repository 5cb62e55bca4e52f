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
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Closes as {@code lost} what nobody works on any more, so that every execution gets exactly one terminal record and none is
 * run twice. Looks after three sorts: executions of an earlier start of this node, executions of nodes whose heartbeat
 * stopped, and admissions of this start whose commit succeeded although the caller was told that it failed.
 *
 * <p>Thread-safe; one per server.
 */
public final class ExecutionRecovery {
    private static final Logger LOG = Logger.getLogger(ExecutionRecovery.class);
    private static final int BATCH_MAX = 500;

    /** Executions nobody owns: $1 this node, $2 this incarnation, $3 heartbeats older than this are dead, $4 own doubts. */
    private static final String ORPHANS = """
            select e.id, e.tenant, e.workspace, e.project, e.principal, e.request_id, e.traceparent, e.audit_sequence, e.audit_hash
            from executions e left join plane_nodes n on n.incarnation = e.incarnation
            where e.status = 'running' and (
                n.incarnation is null
                or (n.node = $1 and n.incarnation <> $2)
                or (n.incarnation <> $2 and n.heartbeat_at < $3)
                or (n.incarnation = $2 and e.requested_at < $4))
            order by e.id limit $5
            """;

    // It is repeated when the first attempt passed its time limit, and that attempt may have been committed.
    private static final String ANNOUNCE = """
            insert into plane_nodes (node, incarnation, started_at, heartbeat_at) values ($1, $2, $3, $3)
            on conflict (incarnation) do update set heartbeat_at = excluded.heartbeat_at
            """;
    private static final String BEAT = "update plane_nodes set heartbeat_at = $2 where incarnation = $1";
    private static final String FORGET = """
            delete from plane_nodes n where n.heartbeat_at < $1
                and not exists (select 1 from executions e where e.incarnation = n.incarnation and e.status = 'running')
            """;

    private final Pool pool;
    private final ExecutionJournal journal;
    private final LiveExecutions live;
    private final AuditCodec codec;
    private final Clock clock;
    private final String node;
    private final String incarnation;
    private final Duration deadAfter;
    private final Duration timeout;

    /**
     * @param node the stable name of this server; a new start with the same name ends the claims of the one before
     * @param incarnation names this start
     * @param deadAfter how long a node may be silent
     * @param timeout for one statement
     */
    ExecutionRecovery(
            Pool pool,
            ExecutionJournal journal,
            LiveExecutions live,
            AuditCodec codec,
            Clock clock,
            String node,
            String incarnation,
            Duration deadAfter,
            Duration timeout) {
        this.pool = pool;
        this.journal = journal;
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
                .execute(Tuple.of(node, incarnation, clock.instant().atOffset(ZoneOffset.UTC)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .chain(this::sweep);
    }

    /** Says that this node is alive. */
    public Uni<Void> beat() {
        return pool.preparedQuery(BEAT)
                .execute(Tuple.of(incarnation, clock.instant().atOffset(ZoneOffset.UTC)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .replaceWithVoid();
    }

    /** Closes what nobody works on; the item is how many there were. */
    public Uni<Integer> sweep() {
        var now = clock.instant().atOffset(ZoneOffset.UTC);
        Tuple parameters = Tuple.of(node, incarnation, now.minus(deadAfter), now.minus(deadAfter), BATCH_MAX);
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
                        .execute(Tuple.of(now.minus(deadAfter.multipliedBy(10))))
                        .ifNoItem()
                        .after(timeout)
                        .fail());
    }

    private Uni<Boolean> close(Row row) {
        ExecutionId id = new ExecutionId(row.getString("id"));
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
                ExecutionStatus.LOST,
                503,
                ErrorCode.EXECUTION_LOST.name(),
                ErrorCode.EXECUTION_LOST.title(),
                Optional.empty(),
                Usage.NONE,
                new JsonText("{}"),
                "",
                clock.instant(),
                List.of(),
                List.of(record),
                chain.position());
        return journal.write(closure).invoke(effective -> {
            if (effective) {
                LOG.infof("closed %s as lost: its server ended before it did", id);
            }
        });
    }
}
