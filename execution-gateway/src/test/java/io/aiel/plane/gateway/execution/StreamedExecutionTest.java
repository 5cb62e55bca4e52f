package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** An execution whose caller takes what its code gives as it comes. */
class StreamedExecutionTest extends ExecutionsOnFakes {
    @Test
    void streamsFromTheStartOfTheWorkerOnAndEndsWithTheAnswer() throws Exception {
        UniAssertSubscriber<StreamAnswer> call = stream(INVOKE);
        WorkerListener listener = Objects.requireNonNull(hydrator.listener);
        call.assertNotTerminated();

        listener.started("w1", new JsonText("{}"), false);
        listener.log(new JsonText("{\"event\":\"x\"}"));
        assertThat(listener.takesChunks()).isTrue();
        assertThat(listener.chunk(new JsonText("1"))).isCompleted();
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        StreamAnswer.Begun begun = (StreamAnswer.Begun) call.awaitItem().getItem();
        assertThat(namesOf(begun.events())).containsExactly("started", "log", "chunk", "result");
        assertThat(written).hasExactlyElementsOfTypes(Admission.class, Closure.class);
    }

    @Test
    void answersWhoStreamsAsEverybodyElseWhenNoWorkerBegan() throws Exception {
        UniAssertSubscriber<StreamAnswer> call = stream(INVOKE);
        hydrator.outcome.complete(
                new ExecutionOutcome.Ended(ErrorCode.CAPACITY_EXHAUSTED, "no worker became free", Usage.NONE));

        assertThat(call.awaitItem().getItem())
                .isInstanceOfSatisfying(
                        StreamAnswer.Instead.class,
                        instead -> assertThat(instead.answer()).isInstanceOf(ExecutionAnswer.Envelope.class));
    }

    @Test
    void stopsTheWorkerWhenTheReaderOfItsStreamLeaves() throws Exception {
        UniAssertSubscriber<StreamAnswer> call = stream(INVOKE);
        Objects.requireNonNull(hydrator.listener).started("w1", new JsonText("{}"), false);
        StreamAnswer.Begun begun = (StreamAnswer.Begun) call.awaitItem().getItem();

        begun.events().leave();

        assertThat(hydrator.cancelled).isTrue();
    }

    @Test
    void stopsTheWorkerOfACallerWhoseTokenIsRevokedAndGivesHimNothingMore() throws Exception {
        ExecutionService service = service();
        UniAssertSubscriber<StreamAnswer> call = stream(service, INVOKE);
        WorkerListener listener = Objects.requireNonNull(hydrator.listener);
        listener.started("w1", new JsonText("{}"), false);
        StreamAnswer.Begun begun = (StreamAnswer.Begun) call.awaitItem().getItem();
        var _ = listener.chunk(new JsonText("1"));
        standing = Optional.empty();

        service.readers().look().await().indefinitely();
        var _ = listener.chunk(new JsonText("2"));
        hydrator.outcome.complete(answered(ENVELOPE, 200));

        assertThat(namesOf(begun.events())).containsExactly("error");
        assertThat(hydrator.cancelled).isTrue();
        assertThat(written).hasExactlyElementsOfTypes(Admission.class, Closure.class);
    }

    @Test
    void goesOnForTheKeyOfACallerWhoseTokenIsRevoked() throws Exception {
        ExecutionService service = service();
        UniAssertSubscriber<StreamAnswer> call = stream(service, KEYED);
        Objects.requireNonNull(hydrator.listener).started("w1", new JsonText("{}"), false);
        StreamAnswer.Begun begun = (StreamAnswer.Begun) call.awaitItem().getItem();
        standing = Optional.empty();

        service.readers().look().await().indefinitely();

        assertThat(namesOf(begun.events())).containsExactly("error");
        assertThat(hydrator.cancelled).isFalse();
    }

    @Test
    void looksAtNobodyWhoseStreamHasEndedOrNeverBegan() throws Exception {
        ExecutionService service = service();
        UniAssertSubscriber<StreamAnswer> call = stream(service, INVOKE);
        assertThat(service.readers().size()).isEqualTo(1);
        hydrator.outcome.complete(
                new ExecutionOutcome.Ended(ErrorCode.CAPACITY_EXHAUSTED, "no worker became free", Usage.NONE));
        call.awaitItem();

        service.readers().look().await().indefinitely();

        assertThat(service.readers().size()).isZero();
    }

    @Test
    void givesAnAnswerAgainAsAStreamOfIt() throws Exception {
        JsonNode request = JSON.readTree(KEYED);
        Digest fingerprint = new Envelopes(JSON, _ -> 500)
                .fingerprint(((RunnerRequestReader.Result.Read)
                                new RunnerRequestReader(900_000).read(request, Optional.empty()))
                        .request());
        known = Optional.of(new IdempotencyKeys.Use.Answered(
                fingerprint, ExecutionId.create(), 500, new JsonText("{\"schema_version\":\"v1\",\"ok\":false}")));

        UniAssertSubscriber<StreamAnswer> call = stream(KEYED);

        StreamAnswer.Repeated repeated =
                (StreamAnswer.Repeated) call.awaitItem().getItem();
        assertThat(namesOf(repeated.events())).containsExactly("error");
        assertThat(hydrator.requests).isEmpty();
    }

    private UniAssertSubscriber<StreamAnswer> stream(String request) throws Exception {
        return stream(service(), request);
    }

    private static UniAssertSubscriber<StreamAnswer> stream(ExecutionService service, String request) throws Exception {
        return service.stream(caller(), JSON.readTree(request), Optional.empty(), refused -> new JsonText("{}"))
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    private static List<String> namesOf(EventSource events) {
        List<String> names = new ArrayList<>();
        while (!events.isOver()) {
            names.add(events.next().orElseThrow().name());
        }
        return names;
    }
}
