package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.gateway.TestDatabase;
import io.aiel.plane.gateway.http.Problems;
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
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** Executions in a real PostgreSQL, as one server after another admits and ends them: what tests of the store and the recovery build on. */
abstract class ExecutionsOnPostgres {
    static final Duration LIMIT = Duration.ofSeconds(10);

    // Not that of the common pool, whose timers did not run in the JVM of all tests of this module.
    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("journal-timer").factory());
    static final String RECORDS = "select canonical from audit_outbox where stream = $1 order by sequence";
    static final JsonText ANSWER = new JsonText("{\"ok\":true,\"result\":\"\\u0000\"}");
    static final AuditCodec CODEC = new AuditCodec(Clock.systemUTC());
    static final ProjectScope SCOPE = new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());

    private static TestDatabase database;
    static Pool pool;
    static PgOutbox outbox;

    @BeforeAll
    static void connect() {
        database = TestDatabase.open(4);
        pool = database.pool();
        outbox = new PgOutbox(pool, new OutboxBudget(1_000_000, 1L << 40), Duration.ofMinutes(1), LIMIT);
    }

    @AfterAll
    static void disconnect() {
        database.close();
    }

    /** One start of a server. */
    static final class Server {
        final String node;
        private final String incarnation;
        private final Clock clock;
        private final Duration timeout;
        final LiveExecutions live = new LiveExecutions();
        final PostgresExecutionStore store;
        final ExecutionJournal journal;
        final IdempotencyKeys keys;
        final ExecutionRecovery recovery;
        final ExecutionQueue queue;
        final QueuedEnds ends;
        final Withdrawals withdrawals;
        final AtomicReference<Set<ExecutionId>> inHand = new AtomicReference<>(Set.of());

        Server(String node) {
            this(node, Clock.systemUTC());
        }

        Server(String node, Clock clock) {
            this(node, clock, LIMIT);
        }

        Server(String node, Clock clock, Duration timeout) {
            this.node = node;
            incarnation = UUID.randomUUID().toString();
            store = new PostgresExecutionStore(
                    pool, outbox, incarnation, LIMIT, Duration.ofHours(24), Problems::status);
            keys = new IdempotencyKeys(pool, LIMIT);
            journal = new ExecutionJournal(
                    store::write,
                    100,
                    1_000,
                    2,
                    (delay, task) -> {
                        var _ = TIMER.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
                    },
                    System::nanoTime);
            queue = new ExecutionQueue(pool, incarnation, LIMIT);
            ends = new QueuedEnds(
                    CODEC, new Envelopes(new ObjectMapper(), Problems::status), Clock.systemUTC(), Duration.ofHours(1));
            withdrawals = new Withdrawals(store::write, queue::waiting, ends, System::nanoTime);
            this.clock = clock;
            this.timeout = timeout;
            recovery = recovery(withdrawals);
        }

        ExecutionRecovery recovery(Withdrawals ofIt) {
            return new ExecutionRecovery(
                    pool,
                    journal,
                    keys,
                    new QueueRecovery(pool, queue, journal, ends, ofIt, inHand::get, Clock.systemUTC(), LIMIT),
                    Problems::status,
                    live,
                    CODEC,
                    clock,
                    node,
                    incarnation,
                    Duration.ofSeconds(30),
                    timeout);
        }

        int start() {
            return await(recovery.start());
        }

        Started admit() {
            ExecutionId id = ExecutionId.create();
            AuditChain chain = AuditChain.begin(CODEC, context(), id);
            Admission admission = admission(id, chain);
            live.add(id);
            assertThat(await(journal.write(admission))).isTrue();
            return new Started(id, chain);
        }

        Admission admission(ExecutionId id, AuditChain chain) {
            return admission(
                    id,
                    chain,
                    new Decision.Allow(
                            DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of(), Obligations.NONE));
        }

        Admission admission(ExecutionId id, AuditChain chain, Decision decision) {
            return admission(id, chain, decision, Optional.empty(), Instant.now());
        }

        Admission admission(
                ExecutionId id,
                AuditChain chain,
                Decision decision,
                Optional<IdempotencyClaim> claim,
                Instant requestedAt) {
            return admission(id, chain, decision, claim, requestedAt, SCOPE, Optional.empty());
        }

        Admission admission(
                ExecutionId id,
                AuditChain chain,
                Decision decision,
                Optional<IdempotencyClaim> claim,
                Instant requestedAt,
                ProjectScope scope,
                Optional<QueuedWork> work) {
            AuditRecord first = chain.append(new AuditEvent.ExecutionAdmitted(id));
            return new Admission(
                    id,
                    new Caller(
                            principal(claim.map(c -> c.key().principal()).orElseGet(PrincipalId::create)),
                            scope,
                            "req",
                            "",
                            "",
                            "",
                            "",
                            Context.root()),
                    target(),
                    "invoke",
                    decision,
                    claim.map(c -> c.key().text()),
                    claim,
                    Digest.of("{}"),
                    30_000,
                    requestedAt,
                    work,
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    false,
                    List.of(first),
                    chain.position());
        }

        Uni<Boolean> progress(Started started) {
            AuditRecord record = started.chain()
                    .append(new AuditEvent.EgressRefused(started.id(), 1, "a.example", 443, "not_granted", "no"));
            return journal.write(
                    new Progress(started.id(), List.of(record), started.chain().position()));
        }

        Uni<Boolean> close(Started started) {
            return journal.write(closure(started));
        }

        Closure closure(Started started) {
            AuditRecord record = started.chain()
                    .append(new AuditEvent.ExecutionFinished(
                            started.id(), "succeeded", 200, "", Optional.empty(), Usage.NONE, new JsonText("{}"), "w"));
            return new Closure(
                    started.id(),
                    Optional.empty(),
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
                    started.claim().map(claim -> new KeyEnd.Answered(claim.key(), 200, ANSWER)),
                    Optional.empty(),
                    List.of(record),
                    started.chain().position());
        }

        /** Asks for an admission under a key; empty when another has it. */
        Uni<Optional<Started>> admit(IdempotencyClaim claim, Instant requestedAt) {
            ExecutionId id = ExecutionId.create();
            AuditChain chain = AuditChain.begin(CODEC, context(), id);
            Admission admission = admission(
                    id,
                    chain,
                    new Decision.Allow(
                            DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of(), Obligations.NONE),
                    Optional.of(claim),
                    requestedAt);
            live.add(id);
            return journal.write(admission)
                    .map(effective ->
                            effective ? Optional.of(new Started(id, chain, Optional.of(claim))) : Optional.empty());
        }
    }

    record Started(ExecutionId id, AuditChain chain, Optional<IdempotencyClaim> claim) {
        Started(ExecutionId id, AuditChain chain) {
            this(id, chain, Optional.empty());
        }
    }

    static String status(Started started) {
        return await(pool.preparedQuery("select status from executions where id = $1")
                        .execute(Tuple.of(started.id().value())))
                .iterator()
                .next()
                .getString(0);
    }

    static List<JsonObject> records(Started started) {
        List<JsonObject> records = new ArrayList<>();
        await(pool.preparedQuery(RECORDS).execute(Tuple.of(started.chain().position().stream())))
                .forEach(row -> records.add(new JsonObject(row.getString(0))));
        return records;
    }

    static List<String> recordTypes(Started started) {
        return records(started).stream().map(record -> record.getString("type")).toList();
    }

    static List<Long> sequences(Started started) {
        return records(started).stream()
                .map(record -> Long.valueOf(String.valueOf(record.getValue("sequence"))))
                .toList();
    }

    static String terminalStatus(Started started) {
        return records(started).getLast().getJsonObject("data").getString("status");
    }

    static AuditContext context() {
        return new AuditContext(
                SCOPE.tenant(),
                Optional.of(SCOPE.workspace()),
                Optional.of(SCOPE.project()),
                Optional.of(PrincipalId.create()),
                "req",
                "");
    }

    static Principal principal(PrincipalId id) {
        return new Principal(
                id,
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

    static ResolvedCapability target() {
        return new ResolvedCapability(
                SCOPE,
                Optional.of("production"),
                new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                "minimal",
                Optional.empty());
    }

    static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }
}
