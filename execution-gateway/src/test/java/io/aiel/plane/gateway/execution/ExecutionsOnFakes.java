package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.gateway.overload.GateSettings;
import io.aiel.plane.hydrator.DescribeReport;
import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.HydratorStatus;
import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionOutcome;
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
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;

/** An execution service whose neighbours are made up by the test: what is decided, recorded and run, the test says. */
abstract class ExecutionsOnFakes {
    static final ObjectMapper JSON = new ObjectMapper();
    static final ProjectScope SCOPE = new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());
    /** Tests look themselves. */
    static final Duration NEVER = Duration.ofHours(1);

    static final String INVOKE = "{\"action\":\"execute\",\"meta\":{\"timeout_ms\":5000}}";
    static final String KEYED = "{\"action\":\"execute\",\"meta\":{\"timeout_ms\":5000,\"idempotency_key\":\"k\"}}";
    static final Capability PROMISING = new Capability(
            new CapabilityRef(CapabilityKind.TOOL, "add"),
            "",
            "",
            List.of(),
            Optional.empty(),
            Optional.of(new JsonText("{}")),
            List.of(),
            List.of(),
            Digest.of("contract"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            "",
            0);
    private static final Caller CALLER = someone();
    static final String ENVELOPE =
            "{\"ok\":true,\"http_status\":200,\"result\":{\"sum\":3},\"error\":null,\"meta\":{\"logs\":[]}}";

    final FakeHydrator hydrator = new FakeHydrator();
    final List<JournalEntry> written = new ArrayList<>();
    final LiveExecutions live = new LiveExecutions();
    final QueuedEnds ends = new QueuedEnds(
            new AuditCodec(Clock.systemUTC()),
            new Envelopes(JSON, Problems::status),
            Clock.systemUTC(),
            Duration.ofHours(1));
    final Withdrawals withdrawals =
            new Withdrawals(this::write, _ -> Uni.createFrom().item(List.of()), ends, System::nanoTime);
    final ExecutionGate gate = new ExecutionGate(new GateSettings(4, 4, 4, 2, 0, Duration.ZERO, 2), (_, _) -> {});
    Obligations obligations = Obligations.NONE;
    boolean denies;
    boolean undecided;
    boolean journalFails;
    /** What the next writes fail with, one after the other. */
    final Deque<Throwable> failures = new ArrayDeque<>();

    double backlog;
    int inQueue;
    int told;
    Optional<IdempotencyKeys.Use> known = Optional.empty();
    Optional<Capability> promised = Optional.empty();
    List<InputError> outputErrors = List.of();
    Optional<Principal> standing = Optional.of(CALLER.principal());
    boolean strict;
    Optional<Function<WorkerApi.Opening, WorkerApi.Session>> api = Optional.empty();
    Optional<String> callbackRefusal = Optional.empty();

    /** Whatever comes of an execution, its place is free again afterwards. */
    @AfterEach
    void leavesNoPlaceTaken() {
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(gate.state().taken()).isZero();
    }

    UniAssertSubscriber<ExecutionAnswer> execute(String request) throws Exception {
        return service()
                .execute(caller(), JSON.readTree(request), Optional.empty())
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    static com.fasterxml.jackson.databind.JsonNode envelope(UniAssertSubscriber<ExecutionAnswer> call)
            throws Exception {
        ExecutionAnswer.Envelope answer =
                (ExecutionAnswer.Envelope) call.awaitItem().getItem();
        return JSON.readTree(answer.envelope().value());
    }

    static ExecutionOutcome answered(String envelope, int httpStatus) {
        return new ExecutionOutcome.Answered(new JsonText(envelope), true, httpStatus, "", Usage.NONE);
    }

    Closure closure() {
        return (Closure) written.getLast();
    }

    ExecutionService service() {
        return new ExecutionService(
                gate,
                new FakeRegistry(),
                (_, _) -> List.of(),
                (_, _) -> outputErrors,
                _ -> Uni.createFrom().item(strict),
                new FakePolicy(),
                hydrator,
                opening -> Uni.createFrom().item(api.map(made -> made.apply(opening))),
                new FakeOutbox(),
                new AuditCodec(Clock.systemUTC()),
                new ExecutionJournal(this::write, 10, 10, 1, (_, task) -> task.run(), new LongPauses()),
                _ -> Uni.createFrom().item(known),
                _ -> Uni.createFrom().failure(new IOException("nobody asks")),
                live,
                new Submissions(
                        new QueueSettings(
                                4,
                                2,
                                2,
                                10,
                                10,
                                10_000,
                                Duration.ofDays(1),
                                Duration.ofDays(1),
                                false,
                                Duration.ofDays(1)),
                        new QueueBudget(
                                _ -> Uni.createFrom().item(inQueue),
                                () -> Uni.createFrom().item(inQueue),
                                10,
                                10,
                                System::nanoTime),
                        new Envelopes(JSON, Problems::status),
                        (_, _) -> Uni.createFrom().item(callbackRefusal),
                        () -> told++),
                withdrawals,
                ends,
                new Readership(
                        (_, _) -> Uni.createFrom().item(standing),
                        new FakePolicy(),
                        Clock.systemUTC(),
                        NEVER,
                        System::nanoTime),
                new Envelopes(JSON, Problems::status),
                new ExecutionMetrics(new SimpleMeterRegistry(), live, gate),
                OpenTelemetry.noop().getTracer("test"),
                Clock.systemUTC(),
                new ExecutionLimits(900_000, 100, 0, 8, 100));
    }

    Uni<List<Boolean>> write(List<JournalEntry> entries) {
        if (journalFails) {
            return Uni.createFrom().failure(new IOException("the database is gone"));
        }
        if (!failures.isEmpty()) {
            return Uni.createFrom().failure(failures.remove());
        }
        written.addAll(entries);
        return Uni.createFrom().item(entries.stream().map(_ -> true).toList());
    }

    static Caller caller() {
        return CALLER;
    }

    private static Caller someone() {
        Principal principal = new Principal(
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
        return new Caller(principal, SCOPE, "req", "", "", "", "http://127.0.0.1", Context.root());
    }

    final class FakeRegistry implements CapabilityRegistry {
        @Override
        public Uni<Resolution> resolve(ProjectScope scope, Target target, Optional<CapabilityRef> ref) {
            return Uni.createFrom()
                    .item(new Resolution.Found(new ResolvedCapability(
                            scope,
                            Optional.of("production"),
                            new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                            "minimal",
                            promised)));
        }

        @Override
        public Uni<List<Capability>> capabilities(ProjectScope scope, Target target) {
            return Uni.createFrom().item(List.of());
        }
    }

    final class FakePolicy implements PolicyEngine {
        @Override
        public Decision decide(PolicyInput input) {
            return denies
                    ? new Decision.Deny(
                            DecisionId.create(), policyDigest(), new JsonText("{}"), List.of("not you"), undecided)
                    : new Decision.Allow(
                            DecisionId.create(), policyDigest(), new JsonText("{}"), List.of(), obligations);
        }

        @Override
        public Digest policyDigest() {
            return Digest.of("policy");
        }

        @Override
        public boolean ready() {
            return true;
        }
    }

    final class FakeOutbox implements Outbox {
        @Override
        public Uni<Void> append(SqlConnection transaction, List<AuditRecord> records) {
            throw new AssertionError("the fake journal writes nothing");
        }

        @Override
        public Insert insert(
                List<AuditRecord> records, List<@Nullable Integer> parts, String condition, int firstParameter) {
            throw new AssertionError("the fake journal writes nothing");
        }

        @Override
        public void committed(List<AuditRecord> records) {}

        @Override
        public void committed() {}

        @Override
        public double fill() {
            return backlog;
        }
    }

    final class FakeHydrator implements Hydrator {
        final List<HydrationRequest> requests = new ArrayList<>();
        final List<Integer> writtenWhenAsked = new ArrayList<>();
        CompletableFuture<ExecutionOutcome> outcome = new CompletableFuture<>();
        List<EgressEvent> egress = List.of();
        boolean cancelled;
        boolean throwing;

        @Nullable
        WorkerListener listener;

        @Override
        public RunningExecution run(HydrationRequest request, Decision.Allow allow, WorkerListener listener) {
            if (throwing) {
                throw new IllegalStateException("broken");
            }
            this.listener = listener;
            requests.add(request);
            writtenWhenAsked.add(written.size());
            for (EgressEvent event : egress) {
                assertThat(listener.egress(event).toCompletableFuture()).isCompletedWithValue(true);
            }
            return new RunningExecution() {
                @Override
                public CompletionStage<ExecutionOutcome> outcome() {
                    return outcome;
                }

                @Override
                public void cancel() {
                    cancelled = true;
                }
            };
        }

        @Override
        public CompletionStage<DescribeReport> describe(SnapshotFiles files) {
            throw new AssertionError("nothing is described here");
        }

        @Override
        public Set<String> bundles() {
            return Set.of("minimal");
        }

        @Override
        public void prepare(String bundle) {}

        @Override
        public boolean runsWork() {
            return true;
        }

        @Override
        public HydratorStatus status() {
            return new HydratorStatus(true, "", new JsonText("{}"), 0, 0);
        }

        @Override
        public void close() {}
    }
}
