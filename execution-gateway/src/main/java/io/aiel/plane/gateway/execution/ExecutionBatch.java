package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;

/**
 * Runs many requests of one caller, a few side by side: each is decided, admitted, run and closed by itself, as if it had come alone. Never has
 * more in hand than its project has places. Thread-safe; who cancels cancels what runs, and what has not begun does not.
 */
public final class ExecutionBatch {
    /** Requests in one batch at most. */
    public static final int REQUESTS_MAX = 100;

    private static final Logger LOG = Logger.getLogger(ExecutionBatch.class);
    private static final int SIDE_BY_SIDE_MAX = 4;
    private static final int TRIES_MAX = 4;
    private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
    private static final long ANSWER_CHARS_MAX = 16L << 20;

    private final ExecutionService service;
    private final int sideBySide;

    /** @param projectPlaces places that one project can have at most */
    ExecutionBatch(ExecutionService service, int projectPlaces) {
        this.service = service;
        this.sideBySide = Math.min(SIDE_BY_SIDE_MAX, projectPlaces);
    }

    private record Indexed(int index, ExecutionAnswer answer) {}

    /** The answers, in the order of the requests. Never fails for what one of them does. */
    public Uni<List<ExecutionAnswer>> run(Caller caller, List<JsonNode> requests) {
        AtomicLong chars = new AtomicLong();
        return Multi.createFrom()
                .range(0, requests.size())
                .onItem()
                .transformToUni(index ->
                        one(caller, requests.get(index), 1).map(answer -> new Indexed(index, fitting(answer, chars))))
                .merge(sideBySide)
                .collect()
                .asList()
                .map(answers -> {
                    ExecutionAnswer[] inOrder = new ExecutionAnswer[answers.size()];
                    answers.forEach(one -> inOrder[one.index()] = one.answer());
                    return Arrays.asList(inOrder);
                });
    }

    /** What finds no place comes again a few times: the others of its project need not be a reason to send it again. */
    private Uni<ExecutionAnswer> one(Caller caller, JsonNode request, int attempt) {
        return service.execute(caller, request, Optional.empty())
                .onFailure()
                .recoverWithItem(failure -> {
                    LOG.errorf(failure, "one of a batch failed requestId=%s", caller.requestId());
                    return new ExecutionAnswer.Refused(
                            ErrorCode.INTERNAL, ErrorCode.INTERNAL.title() + ".", Optional.empty());
                })
                .chain(answer -> attempt < TRIES_MAX && foundNoPlace(answer)
                        ? Uni.createFrom()
                                .voidItem()
                                .onItem()
                                .delayIt()
                                .by(FIRST_PAUSE.multipliedBy(1L << (attempt - 1)))
                                .chain(() -> one(caller, request, attempt + 1))
                        : Uni.createFrom().item(answer));
    }

    private static boolean foundNoPlace(ExecutionAnswer answer) {
        return answer instanceof ExecutionAnswer.Refused refused
                && (refused.code() == ErrorCode.RATE_LIMITED || refused.code() == ErrorCode.CAPACITY_EXHAUSTED);
    }

    /** All answers are in memory until the last is there, so they are bounded together. */
    private static ExecutionAnswer fitting(ExecutionAnswer answer, AtomicLong chars) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var _, var envelope, var execution, var _) ->
                chars.addAndGet(envelope.value().length()) <= ANSWER_CHARS_MAX
                        ? answer
                        : tooLong(execution
                                .map(id -> "The execution " + id + " has ended")
                                .orElse("It was not run"));
            case ExecutionAnswer.Replayed(var _, var envelope, var execution) ->
                chars.addAndGet(envelope.value().length()) <= ANSWER_CHARS_MAX
                        ? answer
                        : tooLong("The execution " + execution + " has ended");
            case ExecutionAnswer.InProgress _, ExecutionAnswer.Queued _, ExecutionAnswer.Refused _ -> answer;
        };
    }

    private static ExecutionAnswer tooLong(String what) {
        return new ExecutionAnswer.Refused(
                ErrorCode.OUTPUT_LIMIT,
                what + "; its envelope is left out, as the batch's answer would be larger than " + ANSWER_CHARS_MAX
                        + " characters.",
                Optional.empty());
    }
}
