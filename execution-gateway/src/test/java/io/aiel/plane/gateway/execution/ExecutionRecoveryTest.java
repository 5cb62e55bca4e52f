package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.Usage;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.core.Vertx;
import io.vertx.mutiny.pgclient.PgBuilder;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.PoolOptions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.flywaydb.core.Flyway;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What a killed server leaves in a real PostgreSQL, and how the next start closes it.
 *
 * <p>Guards "exactly one terminal record". Seen to fail: with {@code and e.status = 'running'} taken out of the closing
 * statement, {@link #writesOneTerminalRecordWhoeverClosesFirst} fails: the second closure takes effect, and only the outbox's
 * unique key keeps its record out.
 */
class ExecutionRecoveryTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final AuditCodec CODEC = new AuditCodec(Clock.systemUTC());
    private static final ProjectScope SCOPE =
            new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());

    private static Vertx vertx;
    private static Pool pool;
    private static PgOutbox outbox;

    @BeforeAll
    static void connect() {
        Map<String, String> settings = EmbeddedServers.settings(false);
        Flyway.configure()
                .dataSource(
                        settings.get("quarkus.datasource.jdbc.url"),
                        settings.get("quarkus.datasource.username"),
                        settings.get("quarkus.datasource.password"))
                .load()
                .migrate();
        vertx = Vertx.vertx();
        pool = PgBuilder.pool()
                .with(new PoolOptions().setMaxSize(4))
                .connectingTo(PgConnectOptions.fromUri(settings.get("quarkus.datasource.reactive.url"))
                        .setUser(settings.get("quarkus.datasource.username"))
                        .setPassword(settings.get("quarkus.datasource.password")))
                .using(vertx)
                .build();
        outbox = new PgOutbox(pool, new OutboxBudget(1_000_000, 1L << 40), Duration.ofMinutes(1), LIMIT);
    }

    @AfterAll
    static void disconnect() {
        pool.close().await().atMost(LIMIT);
        vertx.close().await().atMost(LIMIT);
    }

    /** One start of a server. */
    private static final class Server {
        private final LiveExecutions live = new LiveExecutions();
        private final ExecutionJournal journal;
        private final ExecutionRecovery recovery;

        Server(String node) {
            String incarnation = UUID.randomUUID().toString();
            PostgresExecutionStore store = new PostgresExecutionStore(pool, outbox, incarnation, LIMIT);
            journal = new ExecutionJournal(store::write, 100, 1_000, 2);
            recovery = new ExecutionRecovery(
                    pool, journal, live, CODEC, Clock.systemUTC(), node, incarnation, Duration.ofSeconds(30), LIMIT);
        }

        int start() {
            return await(recovery.start());
        }

        Started admit() {
            ExecutionId id = ExecutionId.create();
            AuditChain chain = AuditChain.begin(CODEC, context(), id);
            Decision decision = new Decision.Allow(
                    DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of(), Obligations.NONE);
            AuditRecord first = chain.append(new AuditEvent.ExecutionAdmitted(id));
            Admission admission = new Admission(
                    id,
                    new Caller(principal(), SCOPE, "req", "", "", "", "", Context.root()),
                    target(),
                    "invoke",
                    decision,
                    Optional.empty(),
                    Digest.of("{}"),
                    30_000,
                    Instant.now(),
                    List.of(first),
                    chain.position());
            live.add(id);
            assertThat(await(journal.write(admission))).isTrue();
            return new Started(id, chain);
        }

        Uni<Boolean> close(Started started) {
            AuditRecord record = started.chain()
                    .append(new AuditEvent.ExecutionFinished(
                            started.id(), "succeeded", 200, "", Optional.empty(), Usage.NONE, new JsonText("{}"), "w"));
            return journal.write(new Closure(
                    started.id(),
                    ExecutionStatus.SUCCEEDED,
                    200,
                    "",
                    "",
                    Optional.empty(),
                    Usage.NONE,
                    new JsonText("{}"),
                    "w",
                    Instant.now(),
                    List.of(new JsonText("{\"event\":\"a\"}")),
                    List.of(record),
                    started.chain().position()));
        }
    }

    private record Started(ExecutionId id, AuditChain chain) {}

    @Test
    void closesWhatAnEarlierStartOfTheSameNodeLeftRunning() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        Started running = killed.admit();
        Started finished = killed.admit();
        await(killed.close(finished));

        int closed = new Server(node).start();

        assertThat(closed).isEqualTo(1);
        assertThat(status(running)).isEqualTo("lost");
        assertThat(status(finished)).isEqualTo("succeeded");
        assertThat(recordTypes(running)).hasSize(2).last().asString().contains("finished");
        assertThat(sequences(running)).containsExactly(1L, 2L);
        assertThat(terminalStatus(running)).isEqualTo("lost");
    }

    /** The announcement may be in the table although its answer came too late: trying again must not fail for ever. */
    @Test
    void startsAgainAfterAnAnswerThatCameTooLate() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();

        int closed = server.start();

        assertThat(closed).isZero();
    }

    @Test
    void closesNothingTwice() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        Started running = killed.admit();
        new Server(node).start();

        int closedAgain = new Server(node).start();

        assertThat(closedAgain).isZero();
        assertThat(recordTypes(running)).hasSize(2);
    }

    @Test
    void leavesAloneWhatALivingNodeRuns() {
        Server living = new Server("node-" + UUID.randomUUID());
        living.start();
        Started running = living.admit();

        new Server("node-" + UUID.randomUUID()).start();

        assertThat(status(running)).isEqualTo("running");
        assertThat(await(living.close(running))).isTrue();
    }

    @Test
    void closesWhatANodeRanWhoseHeartbeatStopped() {
        Server silent = new Server("node-" + UUID.randomUUID());
        silent.start();
        Started running = silent.admit();
        await(pool.preparedQuery(
                        "update plane_nodes set heartbeat_at = now() - interval '1 minute' where incarnation = (select incarnation from executions where id = $1)")
                .execute(Tuple.of(running.id().value())));

        new Server("node-" + UUID.randomUUID()).start();

        assertThat(status(running)).isEqualTo("lost");
    }

    @Test
    void writesOneTerminalRecordWhoeverClosesFirst() {
        String node = "node-" + UUID.randomUUID();
        Server slow = new Server(node);
        slow.start();
        Started running = slow.admit();
        new Server(node).start();

        boolean effective = await(slow.close(running));

        assertThat(effective).isFalse();
        assertThat(status(running)).isEqualTo("lost");
        assertThat(recordTypes(running)).hasSize(2);
    }

    private static String status(Started started) {
        return await(pool.preparedQuery("select status from executions where id = $1")
                        .execute(Tuple.of(started.id().value())))
                .iterator()
                .next()
                .getString(0);
    }

    private static List<JsonObject> records(Started started) {
        List<JsonObject> records = new ArrayList<>();
        await(pool.preparedQuery("select canonical from audit_outbox where stream = $1 order by sequence")
                        .execute(Tuple.of(started.chain().position().stream())))
                .forEach(row -> records.add(new JsonObject(row.getString(0))));
        return records;
    }

    private static List<String> recordTypes(Started started) {
        return records(started).stream().map(record -> record.getString("type")).toList();
    }

    private static List<Long> sequences(Started started) {
        return records(started).stream()
                .map(record -> Long.valueOf(String.valueOf(record.getValue("sequence"))))
                .toList();
    }

    private static String terminalStatus(Started started) {
        return records(started).getLast().getJsonObject("data").getString("status");
    }

    private static AuditContext context() {
        return new AuditContext(
                SCOPE.tenant(),
                Optional.of(SCOPE.workspace()),
                Optional.of(SCOPE.project()),
                Optional.of(principal().id()),
                "req",
                "");
    }

    private static Principal principal() {
        return new Principal(
                PrincipalId.create(),
                PrincipalKind.USER,
                SCOPE.tenant(),
                "someone",
                TokenId.create(),
                Set.of("*"),
                Set.of(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    private static ResolvedCapability target() {
        return new ResolvedCapability(
                SCOPE,
                Optional.of("production"),
                new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                "minimal",
                Optional.empty());
    }

    private static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }
}
