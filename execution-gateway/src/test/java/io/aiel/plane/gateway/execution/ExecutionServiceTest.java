package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.EventTypes;
import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.hydrator.PlaneAccess;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.Usage;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The order of the one sequence, and that nothing gets out of it: what is denied or not recorded does not run, what is admitted
 * has exactly one end.
 *
 * <p>Seen to fail: {@link #runsNothingThatCouldNotBeRecorded} with the failure of the journal ignored;
 * {@link #recordsTheEndOfAnExecutionWhoseClientLeft} without the subscription of its own in {@code execute};
 * {@link #endsAnExecutionWhoseAnswerCannotBeRead} without the {@code catch} in {@code end}.
 */
class ExecutionServiceTest extends ExecutionsOnFakes {
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

    /** Seen failing when the key is looked up before the decision. */
    @Test
    void givesNoAnswerAgainToWhoMayNotAskAnyMore() throws Exception {
        known = Optional.of(new IdempotencyKeys.Use.Answered(
                Digest.of("whatever"), ExecutionId.create(), 200, new JsonText(ENVELOPE)));
        denies = true;

        UniAssertSubscriber<ExecutionAnswer> call = execute(KEYED);

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("POLICY_DENIED");
        assertThat(written)
                .singleElement()
                .isInstanceOfSatisfying(
                        Admission.class,
                        admission -> assertThat(admission.claim())
                                .as("a denial leaves the key free")
                                .isEmpty());
    }

    @Test
    void runsNothingWhenTheKeyWasUsedForAnotherRequest() throws Exception {
        known = Optional.of(new IdempotencyKeys.Use.Answered(
                Digest.of("another"), ExecutionId.create(), 200, new JsonText(ENVELOPE)));

        UniAssertSubscriber<ExecutionAnswer> call = execute(KEYED);

        assertThat(call.awaitItem().getItem())
                .isInstanceOfSatisfying(
                        ExecutionAnswer.Refused.class,
                        refused -> assertThat(refused.code()).isEqualTo(ErrorCode.IDEMPOTENCY_KEY_REUSED));
        assertThat(written).isEmpty();
        assertThat(hydrator.requests).isEmpty();
    }

    /** Seen failing when the client's departure is always passed on to the worker. */
    @Test
    void goesOnWithoutItsClientWhenThereIsAKeyToComeBackWith() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(KEYED);

        call.cancel();

        assertThat(hydrator.cancelled).isFalse();
        hydrator.outcome.complete(answered(ENVELOPE, 200));
        assertThat(written)
                .last()
                .isInstanceOfSatisfying(
                        Closure.class,
                        closure -> assertThat(closure.keyEnd())
                                .get()
                                .isInstanceOfSatisfying(
                                        KeyEnd.Answered.class,
                                        kept -> assertThat(kept.envelope().value())
                                                .contains("\"sum\":3")));
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

    @ParameterizedTest
    @CsvSource({"0.80, AUDIT_BACKLOG", "0.94, AUDIT_BACKLOG", "0.95, NOT_READY", "1.2, NOT_READY"})
    void takesNothingWhenTheBacklogIsNearlyFullAndSaysWhich(double fill, ErrorCode code) throws Exception {
        backlog = fill;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(call.awaitItem().getItem()).isInstanceOfSatisfying(ExecutionAnswer.Refused.class, refused -> {
            assertThat(refused.code()).isEqualTo(code);
            assertThat(refused.retryAfter()).isPresent();
        });
        assertThat(written).isEmpty();
    }

    @Test
    void takesWhatComesBelowThat() throws Exception {
        backlog = 0.79;

        execute(INVOKE);

        assertThat(written).isNotEmpty();
    }

    @Test
    void refusesBeforeAnythingIsDecidedWhenTheProjectHasItsPlacesTaken() throws Exception {
        execute(INVOKE);
        execute(INVOKE);

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(call.awaitItem().getItem()).isInstanceOfSatisfying(ExecutionAnswer.Refused.class, refused -> {
            assertThat(refused.code()).isEqualTo(ErrorCode.RATE_LIMITED);
            assertThat(refused.retryAfter().orElseThrow()).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));
        });
        assertThat(written).hasSize(2);
        assertThat(hydrator.requests).hasSize(2).noneMatch(HydrationRequest::queued);
    }

    @Test
    void saysWhenToTryAgainIfThereWasNoWorker() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(
                new ExecutionOutcome.Ended(ErrorCode.CAPACITY_EXHAUSTED, "no worker became free", Usage.NONE));

        assertThat(call.awaitItem().getItem())
                .isInstanceOfSatisfying(
                        ExecutionAnswer.Envelope.class,
                        answer -> assertThat(answer.retryAfter()).isPresent());
    }

    @Test
    void deniesWhereAnObligationCannotBeMet() throws Exception {
        obligations = new Obligations(
                OptionalInt.empty(),
                OptionalInt.empty(),
                List.of(),
                true,
                List.of(),
                false,
                Optional.empty(),
                Optional.empty());

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("POLICY_DENIED");
        assertThat(hydrator.requests).isEmpty();
    }

    @Test
    void runsNoLongerThanThePolicyAllows() throws Exception {
        obligations = new Obligations(
                OptionalInt.of(700),
                OptionalInt.empty(),
                List.of(),
                false,
                List.of(),
                false,
                Optional.empty(),
                Optional.empty());

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

    /** Seen to fail: without the session's end. */
    @Test
    void letsTheCodeAskTheApiForJustAsLongAsItRuns() throws Exception {
        List<String> told = new ArrayList<>();
        api = Optional.of(opening -> new FakeSession(opening, told));

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);

        assertThat(hydrator.requests.getFirst().environment()).containsEntry("AIEL_TOKEN", "of-this-execution");
        assertThat(hydrator.requests.getFirst().plane()).isPresent();
        assertThat(told).isEmpty();
        hydrator.outcome.complete(answered("{\"ok\":true}", 200));
        envelope(call);
        assertThat(told)
                .containsExactly("closed " + hydrator.requests.getFirst().execution());
    }

    /** Seen to fail: without the end of the session. */
    @Test
    void endsTheLeaveToAskWhenTheHydratorFails() throws Exception {
        List<String> told = new ArrayList<>();
        api = Optional.of(opening -> new FakeSession(opening, told));
        hydrator.throwing = true;

        envelope(execute(INVOKE));

        assertThat(told).hasSize(1);
    }

    /** From now on code may ask the plane; those that do come into the list. */
    private List<CallingExecution> letCall() {
        List<CallingExecution> calling = new ArrayList<>();
        api = Optional.of(opening -> {
            calling.add(opening.execution());
            return new FakeSession(opening, new ArrayList<>());
        });
        return calling;
    }

    @Test
    void saysWhatModelsItsCodeUsedWhateverTheCodeSays() throws Exception {
        List<CallingExecution> calling = letCall();
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        CallingExecution execution = calling.getFirst();

        execution.used("gpt-5", new ModelUse(1, 19, 10, 29));
        execution.used("", new ModelUse(1, 0, 0, 0));
        execution.used("gpt-5-mini", new ModelUse(1, 1, 2, 3));
        execution.used("gpt-5", new ModelUse(1, 1, 1, 2));
        hydrator.outcome.complete(answered(
                "{\"ok\":true,\"result\":1,\"meta\":{\"usage\":{\"total_tokens\":7000000,\"models\":[\"mine\"]}}}",
                200));
        execution.used("gpt-5", new ModelUse(1, 1_000, 0, 1_000));

        var usage = envelope(call).at("/meta/usage");
        assertThat(usage.path("calls").asInt()).isEqualTo(4);
        assertThat(usage.path("input_tokens").asInt()).isEqualTo(21);
        assertThat(usage.path("output_tokens").asInt()).isEqualTo(13);
        assertThat(usage.path("total_tokens").asInt()).isEqualTo(34);
        assertThat(usage.path("models").toString()).isEqualTo("[\"gpt-5\",\"gpt-5-mini\"]");
        assertThat(usage.has("cpu_ms")).isTrue();
        assertThat(closure().records().getLast().canonical())
                .contains("\"model_usage\":{\"calls\":4,\"input_tokens\":21,\"output_tokens\":13,\"total_tokens\":34}");
    }

    @Test
    void saysNothingOfModelsWhereNoneWasCalled() throws Exception {
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(envelope(call).at("/meta/usage").has("calls")).isFalse();
        assertThat(closure().records().getLast().canonical()).doesNotContain("model_usage");
    }

    @Test
    void recordsTheEndOfACallBeforeItsOwn() throws Exception {
        List<CallingExecution> calling = letCall();
        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        CallingExecution execution = calling.getFirst();

        var _ = execution.record(new AuditEvent.ExecutionAnswered(
                execution.id(),
                "call_1",
                "conn_1",
                "postgres.query",
                "done",
                "",
                Digest.of("{}"),
                Optional.empty(),
                3,
                ModelUse.NONE));
        hydrator.outcome.complete(answered(ENVELOPE, 200));
        envelope(call);

        assertThat(written.stream().flatMap(entry -> entry.records().stream()).map(AuditRecord::type))
                .endsWith(EventTypes.EXECUTION_ANSWERED, EventTypes.EXECUTION_FINISHED);
    }

    @Test
    void passesPiecesOfAnswersOnToWhoStreamsAndToNobodyElse() throws Exception {
        List<CallingExecution> calling = new ArrayList<>();
        api = Optional.of(opening -> {
            calling.add(opening.execution());
            return new FakeSession(opening, new ArrayList<>());
        });
        UniAssertSubscriber<StreamAnswer> streamed = service().stream(
                        caller(), JSON.readTree(INVOKE), Optional.empty(), _ -> new JsonText("{}"))
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
        Objects.requireNonNull(hydrator.listener).started("w", new JsonText("{}"), false);
        EventSource events = ((StreamAnswer.Begun) streamed.awaitItem().getItem()).events();

        assertThat(calling.getFirst().delta(new JsonText("\"one\"")).toCompletableFuture())
                .isCompletedWithValue(true);
        assertThat(calling.getFirst()
                        .delta(new JsonText('"' + "x".repeat(100) + '"'))
                        .toCompletableFuture())
                .as("more than may be streamed")
                .isCompletedWithValue(false);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(Stream.generate(events::next)
                        .takeWhile(Optional::isPresent)
                        .map(event -> event.get().name()))
                .containsExactly("started", EventSource.DELTA, "result");
        hydrator.outcome = new CompletableFuture<>();
        execute(INVOKE);
        assertThat(calling.getLast().delta(new JsonText("1")).toCompletableFuture())
                .as("nobody streams")
                .isCompletedWithValue(true);
    }

    private record FakeSession(WorkerApi.Opening opening, List<String> told) implements WorkerApi.Session {
        @Override
        public PlaneAccess access() {
            return new PlaneAccess(
                    _ -> {
                        throw new IOException("nobody connects");
                    },
                    new JsonText("{}"));
        }

        @Override
        public Map<String, String> environment() {
            return Map.of("AIEL_TOKEN", "of-this-execution");
        }

        @Override
        public void close() {
            told.add("closed " + opening.execution().id());
        }
    }

    @Test
    void recordsWhatTheWorkerConnectsToBeforeItsEndInOneStream() throws Exception {
        hydrator.egress = List.of(
                new EgressEvent.Allowed(1, "a.example", 443, "https", "192.0.2.1"),
                new EgressEvent.Closed(1, "a.example", 443, EgressEvent.How.DONE, 1, 2, Duration.ofMillis(3)));
        execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(written).hasExactlyElementsOfTypes(Admission.class, Progress.class, Progress.class, Closure.class);
        assertThat(written.stream().flatMap(entry -> entry.records().stream()).map(AuditRecord::sequence))
                .containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
    }

    /** Seen failing with the contract's end thrown away in {@code close}. */
    @Test
    void recordsAResultThatIsNotWhatWasPromisedAndGivesIt() throws Exception {
        promised = Optional.of(PROMISING);
        outputErrors = List.of(new InputError("/sum", "must be a string"));

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(envelope(call).at("/result/sum").asInt()).isEqualTo(3);
        assertThat(closure().records().getLast().canonical()).contains("\"output_problems\":1");
        assertThat(closure().logs())
                .anySatisfy(line -> assertThat(line.value()).contains("plane.output_invalid", "/sum"));
    }

    @Test
    void withholdsAResultThatIsNotWhatWasPromisedInAStrictProject() throws Exception {
        promised = Optional.of(PROMISING);
        outputErrors = List.of(new InputError("/sum", "must be a string"));
        strict = true;

        UniAssertSubscriber<ExecutionAnswer> call = execute(INVOKE);
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(envelope(call).at("/error/code").asText()).isEqualTo("OUTPUT_INVALID");
        assertThat(envelope(call).at("/error/details/errors/0/pointer").asText())
                .isEqualTo("/sum");
        assertThat(envelope(call).at("/result").isNull()).isTrue();
        assertThat(closure().status()).isEqualTo(ExecutionStatus.FAILED);
    }
}
