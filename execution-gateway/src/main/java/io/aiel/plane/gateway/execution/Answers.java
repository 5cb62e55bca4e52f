package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.RunnerRequest.Action;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jboss.logging.Logger;

/** What callers are told of requests and executions, and so what is kept of an execution's end. Thread-safe. */
final class Answers {
    private static final Logger LOG = Logger.getLogger(Answers.class);
    private static final int MESSAGE_CHARS_MAX = 2_000;

    private final Envelopes envelopes;

    Answers(Envelopes envelopes) {
        this.envelopes = envelopes;
    }

    /**
     * How an execution ended, as it is recorded and answered.
     *
     * @param models what its code had used of language models when this was made: what is answered is what is recorded
     * @param outputProblems in how many ways the result is not what its capability promises
     */
    record End(
            int httpStatus,
            JsonText envelope,
            ExecutionStatus status,
            String code,
            Optional<Digest> resultDigest,
            String message,
            ModelsUsed models,
            int outputProblems) {
        End(
                int httpStatus,
                JsonText envelope,
                ExecutionStatus status,
                String code,
                Optional<Digest> resultDigest,
                String message,
                ModelsUsed models) {
            this(httpStatus, envelope, status, code, resultDigest, message, models, 0);
        }

        End withOutputProblems(int problems) {
            return new End(httpStatus, envelope, status, code, resultDigest, message, models, problems);
        }

        End withStatus(ExecutionStatus other) {
            return new End(httpStatus, envelope, other, code, resultDigest, message, models, outputProblems);
        }

        /** The message as it is kept: an exception's text may be of any length. */
        String limitedMessage() {
            return message.length() <= MESSAGE_CHARS_MAX ? message : message.substring(0, MESSAGE_CHARS_MAX) + "…";
        }
    }

    ExecutionAnswer denied(Run run, Decision.Deny deny) {
        ErrorCode code = Admission.denialOf(deny);
        JsonText envelope = envelopes.failed(
                code,
                "Denied by policy: " + String.join("; ", deny.reasons()),
                envelopes.reasons(deny.reasons()),
                meta(run, Usage.NONE, ModelsUsed.NONE, new JsonText("{}"), List.of()));
        return new ExecutionAnswer.Envelope(envelopes.status(code), envelope, Optional.of(run.id()), Optional.empty());
    }

    /** The answer to a request whose key was used: nothing is run. */
    ExecutionAnswer known(Run run, IdempotencyClaim claim, IdempotencyKeys.Use use, Manner manner) {
        if (!use.fingerprint().equals(claim.fingerprint())) {
            return new ExecutionAnswer.Refused(
                    ErrorCode.IDEMPOTENCY_KEY_REUSED,
                    "The idempotency key was used for another request, whose execution is " + use.execution()
                            + ". Give each request a key of its own.",
                    Optional.empty());
        }
        if (manner.queued()) {
            return new ExecutionAnswer.Queued(use.execution(), true);
        }
        return switch (use) {
            case IdempotencyKeys.Use.Running(var _, var execution) -> new ExecutionAnswer.InProgress(execution);
            case IdempotencyKeys.Use.Answered(var _, var execution, var httpStatus, var envelope) ->
                new ExecutionAnswer.Replayed(httpStatus, envelope, execution);
            case IdempotencyKeys.Use.Lost(var _, var execution) ->
                new ExecutionAnswer.Replayed(
                        envelopes.status(ErrorCode.EXECUTION_LOST),
                        envelopes.failed(
                                ErrorCode.EXECUTION_LOST,
                                "The execution " + execution + " was begun and its end is not known. It is not run"
                                        + " again under this key; use another one if doing it twice is harmless.",
                                envelopes.noDetails(),
                                meta(run, execution, Usage.NONE, ModelsUsed.NONE, new JsonText("{}"), List.of())),
                        execution);
        };
    }

    /** The end of an execution that no other attempt follows. */
    static End last(Run run, End end) {
        return run.attempt().filter(attempt -> attempt.isDeadLetter(end)).isPresent()
                ? end.withStatus(ExecutionStatus.DEAD_LETTER)
                : end;
    }

    /** Never fails, whatever the worker sent. */
    End end(Run run, ExecutionOutcome outcome, WorkerRecord worker) {
        return switch (outcome) {
            case ExecutionOutcome.Answered answered -> {
                try {
                    yield answered(run, answered, worker);
                } catch (RuntimeException e) {
                    // User code shares the worker's process and can send what it likes: an answer that is none is its
                    // crash.
                    LOG.warnf("the worker's answer to %s cannot be read: %s", run.id(), e.toString());
                    yield ended(
                            run, ErrorCode.WORKER_LOST, "the worker's answer cannot be read", outcome.usage(), worker);
                }
            }
            case ExecutionOutcome.Ended ended -> ended(run, ended.code(), ended.detail(), ended.usage(), worker);
        };
    }

    private End answered(Run run, ExecutionOutcome.Answered answered, WorkerRecord worker) {
        if (answered.httpStatus() < 100 || answered.httpStatus() > 599) {
            throw new IllegalArgumentException("http_status " + answered.httpStatus());
        }
        ModelsUsed models = worker.models();
        WorkerEnvelope.Completed completed = envelopes.completed(
                answered.envelope(), meta(run, answered.usage(), models, worker.isolation(), worker.logs()));
        return new End(
                answered.httpStatus(),
                completed.envelope(),
                statusOf(answered),
                answered.errorCode(),
                answered.ok() ? Optional.of(Digest.of(completed.result())) : Optional.empty(),
                answered.ok() ? "" : completed.errorMessage(),
                models);
    }

    private End ended(Run run, ErrorCode code, String detail, Usage usage, WorkerRecord worker) {
        Envelopes.Meta meta = meta(run, usage, worker.models(), worker.isolation(), worker.logs());
        return new End(
                envelopes.status(code),
                envelopes.failed(code, detail, envelopes.noDetails(), meta),
                statusOf(code),
                code.name(),
                Optional.empty(),
                detail,
                meta.models());
    }

    /** The end of an execution whose result is withheld, as it is not what the capability promises. */
    End outputInvalid(Run run, End end, Usage usage, WorkerRecord worker, List<InputError> errors) {
        String message = "The result does not fit the capability's output schema: " + summary(errors);
        return new End(
                envelopes.status(ErrorCode.OUTPUT_INVALID),
                envelopes.failed(
                        ErrorCode.OUTPUT_INVALID,
                        message,
                        envelopes.details(errors),
                        meta(run, usage, end.models(), worker.isolation(), worker.logs())),
                ExecutionStatus.FAILED,
                ErrorCode.OUTPUT_INVALID.name(),
                end.resultDigest(),
                "The result does not fit the capability's output schema.",
                end.models(),
                errors.size());
    }

    private static ExecutionStatus statusOf(ExecutionOutcome.Answered answered) {
        if (answered.ok()) {
            return ExecutionStatus.SUCCEEDED;
        }
        return answered.errorCode().equals(ErrorCode.TIMEOUT.name())
                ? ExecutionStatus.TIMED_OUT
                : ExecutionStatus.FAILED;
    }

    private static ExecutionStatus statusOf(ErrorCode code) {
        return switch (code) {
            case TIMEOUT -> ExecutionStatus.TIMED_OUT;
            case CANCELLED -> ExecutionStatus.CANCELLED;
            case MEMORY_LIMIT, PROCESS_LIMIT, OUTPUT_LIMIT, WORKER_LOST -> ExecutionStatus.KILLED;
            case EXECUTION_LOST -> ExecutionStatus.LOST;
            // Everything else ended before or without a worker's doing.
            default -> ExecutionStatus.FAILED;
        };
    }

    /** An execution for which there was no worker did not run: to try again makes sense. */
    static Optional<Duration> retryAfter(ExecutionOutcome outcome) {
        return outcome instanceof ExecutionOutcome.Ended ended
                        && (ended.code() == ErrorCode.CAPACITY_EXHAUSTED || ended.code() == ErrorCode.NOT_READY)
                ? Optional.of(Entrance.someSeconds())
                : Optional.empty();
    }

    /** What did not run leaves its key free. */
    static KeyEnd keyEnd(IdempotencyKey key, ExecutionOutcome outcome, End end) {
        return retryAfter(outcome).isPresent()
                ? new KeyEnd.Released(key)
                : new KeyEnd.Answered(key, end.httpStatus(), end.envelope());
    }

    /** It ran, and its result cannot be given. */
    static ExecutionAnswer withheld(ErrorCode code, String detail) {
        return new ExecutionAnswer.Refused(code, detail, Optional.empty());
    }

    /** @param what is not right; why, the errors say */
    ExecutionAnswer invalid(Caller caller, String what, List<InputError> errors) {
        return unrecorded(caller, ErrorCode.VALIDATION_ERROR, what + ": " + summary(errors), envelopes.details(errors));
    }

    /** @param known what there is instead */
    ExecutionAnswer missing(Caller caller, RunnerRequest request, String message, List<String> known) {
        ObjectNode details = envelopes.noDetails();
        if (request.action() == Action.INVOKE && !known.isEmpty()) {
            var list = details.putArray("known");
            known.forEach(list::add);
        }
        return unrecorded(caller, ErrorCode.NOT_FOUND, message, details);
    }

    /** An envelope for what did not become an execution. */
    ExecutionAnswer unrecorded(Caller caller, ErrorCode code, String message, ObjectNode details) {
        Envelopes.Meta meta = new Envelopes.Meta(
                Optional.empty(),
                caller.requestId(),
                caller.traceId(),
                Optional.empty(),
                0,
                Usage.NONE,
                ModelsUsed.NONE,
                new JsonText("{}"),
                List.of());
        return new ExecutionAnswer.Envelope(
                envelopes.status(code),
                envelopes.failed(code, message, details, meta),
                Optional.empty(),
                Optional.empty());
    }

    private Envelopes.Meta meta(Run run, Usage usage, ModelsUsed models, JsonText isolation, List<JsonText> logs) {
        return meta(run, run.id(), usage, models, isolation, logs);
    }

    private Envelopes.Meta meta(
            Run run, ExecutionId id, Usage usage, ModelsUsed models, JsonText isolation, List<JsonText> logs) {
        return new Envelopes.Meta(
                Optional.of(id),
                run.requestId(),
                run.caller().traceId(),
                Optional.of(run.target().snapshot()),
                run.elapsed().toMillis(),
                usage,
                models,
                isolation,
                logs);
    }

    private static String summary(List<InputError> errors) {
        InputError first = errors.getFirst();
        String more = errors.size() > 1 ? " (and " + (errors.size() - 1) + " more)" : "";
        return (first.pointer().isEmpty() ? "" : first.pointer() + " ") + first.message() + more;
    }
}
