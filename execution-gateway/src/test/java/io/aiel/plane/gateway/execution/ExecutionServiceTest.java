package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.hydrator.DescribeReport;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;

/**
 * The order of the one sequence, and that nothing gets out of it: what is denied or not recorded does not run, what is admitted
 * has exactly one end.
 *
 * <p>Seen to fail: {@link #runsNothingThatCouldNotBeRecorded} with the failure of the journal ignored;
 * {@link #recordsTheEndOfAnExecutionWhoseClientLeft} without the subscription of its own in {@code execute};
 * {@link #endsAnExecutionWhoseAnswerCannotBeRead} without the {@code catch} in {@code end}.
 */
class ExecutionServiceTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ProjectScope SCOPE =
            new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());
    private static final String INVOKE = "{\"action\":\"execute\",\"meta\":{\"timeout_ms\":5000}}";
    private static final String ENVELOPE =
            "{\"ok\":true,\"http_status\":200,\"result\":{\"sum\":3},\"error\":null,\"meta\":{\"logs\":[]}}";

    private final FakeHydrator hydrator = new FakeHydrator();
    private final List<JournalEntry> written = new ArrayList<>();
    private final LiveExecutions live = new LiveExecutions();
    private Obligations obligations = Obligations.NONE;
    private boolean denies;
    private boolean journalFails;
    private double backlog;

    @Test
    void runsWhatIsAllowedAndAnswersTheWorkersEnvelopeWithItsOwnFacts() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(envelope(call).at("/result/sum").asInt()).isEqualTo(3);
        assertThat(envelope(call).at("/meta/execution_id").asText()).startsWith("exec_");
        assertThat(written).hasExactlyElementsOfTypes(Admission.class, Closure.class);
        assertThat(live.size()).isZero();
    }

    @Test
    void hasTheAdmissionOnRecordBeforeTheWorkerGetsTheRequest() throws Exception {
        execute(INVOKE);

        assertThat(hydrator.writtenWhenAsked).containsExactly(1);
    }

    @Test
    void recordsADenialAndRunsNothing() throws Exception {
        denies = true;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("POLICY_DENIED");
        assertThat(envelope(call).at("/http_status").asInt()).isEqualTo(403);
        assertThat(hydrator.requests).isEmpty();
        assertThat(written)
                .singleElement()
                .isInstanceOfSatisfying(
                        Admission.class,
                        admission -> assertThat(admission.denied()).isTrue());
    }

    @Test
    void runsNothingThatCouldNotBeRecorded() throws Exception {
        journalFails = true;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(call.awaitItem().getItem()).isInstanceOf(ExecutionAnswer.Refused.class);
        assertThat(hydrator.requests).isEmpty();
        assertThat(live.size()).isZero();
    }

    @Test
    void takesNothingWhenTheBacklogIsFull() throws Exception {
        backlog = 0.95;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(call.awaitItem().getItem()).isInstanceOf(ExecutionAnswer.Refused.class);
        assertThat(written).isEmpty();
    }

    @Test
    void deniesWhereAnObligationCannotBeMet() throws Exception {
        obligations =
                new Obligations(OptionalInt.empty(), OptionalInt.empty(), List.of(), true, false, Optional.empty());

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("POLICY_DENIED");
        assertThat(hydrator.requests).isEmpty();
    }

    @Test
    void runsNoLongerThanThePolicyAllows() throws Exception {
        obligations =
                new Obligations(OptionalInt.of(700), OptionalInt.empty(), List.of(), false, false, Optional.empty());

        execute(INVOKE);

        assertThat(hydrator.requests)
                .singleElement()
                .satisfies(request -> assertThat(request.timeout().toMillis()).isEqualTo(700));
    }

    @Test
    void recordsTheEndOfAnExecutionWhoseClientLeft() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        call.cancel();
        assertThat(hydrator.cancelled).isTrue();
        hydrator.outcome.complete(new ExecutionOutcome.Ended(
                io.aiel.plane.vocabulary.ErrorCode.CANCELLED, "the client left", Usage.NONE));

        assertThat(written)
                .last()
                .isInstanceOfSatisfying(
                        Closure.class, closure -> assertThat(closure.status()).isEqualTo(ExecutionStatus.CANCELLED));
        assertThat(live.size()).isZero();
    }

    @Test
    void endsAnExecutionWhoseAnswerCannotBeRead() throws Exception {
        for (String hostile : List.of("[]", "\"x\"", "nonsense", "{\"meta\":5,")) {
            written.clear();
            hydrator.outcome = new CompletableFuture<>();
            UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
            hydrator.outcome.complete(answered(hostile, 200));

            assertThat(envelope(call).at("/error/code").asText()).isEqualTo("WORKER_LOST");
            assertThat(written).hasExactlyElementsOfTypes(Admission.class, Closure.class);
        }
        assertThat(live.size()).isZero();
    }

    @Test
    void endsAnExecutionThatClaimsAStatusThatIsNone() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 99_999));

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("WORKER_LOST");
    }

    @Test
    void endsAnExecutionThatTheHydratorFailsOn() throws Exception {
        hydrator.throwing = true;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("INTERNAL");
        assertThat(written).hasExactlyElementsOfTypes(Admission.class, Closure.class);
        assertThat(live.size()).isZero();
    }

    private UniAssertSubscriber<ExecutionAnswer> execute(String request) throws Exception {
        return service()
                .execute(caller(), JSON.readTree(request))
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    private static com.fasterxml.jackson.databind.JsonNode envelope(UniAssertSubscriber<ExecutionAnswer> call)
            throws Exception {
        ExecutionAnswer.Envelope answer =
                (ExecutionAnswer.Envelope) call.awaitItem().getItem();
        return JSON.readTree(answer.envelope().value());
    }

    private static ExecutionOutcome answered(String envelope, int httpStatus) {
        return new ExecutionOutcome.Answered(new JsonText(envelope), true, httpStatus, "", Usage.NONE);
    }

    private ExecutionService service() {
        return new ExecutionService(
                new FakeRegistry(),
                (_, _) -> List.of(),
                new FakePolicy(),
                hydrator,
                new FakeOutbox(),
                new AuditCodec(Clock.systemUTC()),
                new ExecutionJournal(this::write, 10, 10, 1),
                live,
                new Envelopes(JSON, Problems::status),
                new ExecutionMetrics(new SimpleMeterRegistry(), live),
                OpenTelemetry.noop().getTracer("test"),
                Clock.systemUTC(),
                new ExecutionLimits(900_000, 100, 0));
    }

    private Uni<List<Boolean>> write(List<JournalEntry> entries) {
        if (journalFails) {
            return Uni.createFrom().failure(new IOException("the database is gone"));
        }
        written.addAll(entries);
        return Uni.createFrom().item(entries.stream().map(_ -> true).toList());
    }

    private static Caller caller() {
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

    private static final class FakeRegistry implements CapabilityRegistry {
        @Override
        public Uni<Resolution> resolve(ProjectScope scope, Target target, Optional<CapabilityRef> ref) {
            return Uni.createFrom()
                    .item(new Resolution.Found(new ResolvedCapability(
                            scope,
                            Optional.of("production"),
                            new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                            "minimal",
                            Optional.empty())));
        }

        @Override
        public Uni<List<Capability>> capabilities(ProjectScope scope, Target target) {
            return Uni.createFrom().item(List.of());
        }
    }

    private final class FakePolicy implements PolicyEngine {
        @Override
        public Decision decide(PolicyInput input) {
            return denies
                    ? new Decision.Deny(
                            DecisionId.create(), policyDigest(), new JsonText("{}"), List.of("not you"), false)
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

    private final class FakeOutbox implements Outbox {
        @Override
        public Uni<Void> append(SqlConnection transaction, List<AuditRecord> records) {
            throw new AssertionError("the fake journal writes nothing");
        }

        @Override
        public void committed() {}

        @Override
        public double fill() {
            return backlog;
        }
    }

    private final class FakeHydrator implements Hydrator {
        private final List<HydrationRequest> requests = new ArrayList<>();
        private final List<Integer> writtenWhenAsked = new ArrayList<>();
        private CompletableFuture<ExecutionOutcome> outcome = new CompletableFuture<>();
        private boolean cancelled;
        private boolean throwing;

        @Override
        public RunningExecution run(HydrationRequest request, Decision.Allow allow, WorkerListener listener) {
            if (throwing) {
                throw new IllegalStateException("broken");
            }
            requests.add(request);
            writtenWhenAsked.add(written.size());
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
        public HydratorStatus status() {
            return new HydratorStatus(true, "", new JsonText("{}"), 0, 0);
        }

        @Override
        public void close() {}
    }
}
