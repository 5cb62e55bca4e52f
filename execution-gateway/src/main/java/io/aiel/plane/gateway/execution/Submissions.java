package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.callback.CallbackCheck;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.RetryRule;
import io.smallrye.mutiny.Uni;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What the one sequence does otherwise when a request is queued and not run, and what it keeps of requests. Thread-safe.
 */
final class Submissions {
    private static final Duration COME_AGAIN = Duration.ofSeconds(5);

    private final QueueSettings settings;
    private final QueueBudget budget;
    private final Envelopes envelopes;
    private final CallbackCheck callbacks;
    private final Runnable tell;

    /** @param tell says that something was queued */
    Submissions(
            QueueSettings settings, QueueBudget budget, Envelopes envelopes, CallbackCheck callbacks, Runnable tell) {
        this.settings = settings;
        this.budget = budget;
        this.envelopes = envelopes;
        this.callbacks = callbacks;
        this.tell = tell;
    }

    /** What a request asks that it cannot have in this manner. */
    List<InputError> wrong(RunnerRequest request, Manner manner, Instant now) {
        List<InputError> wrong = new ArrayList<>();
        request.queueing().ifPresent(wishes -> {
            if (!manner.queued()) {
                wrong.add(
                        new InputError(
                                "/meta",
                                String.join(", ", QueueingReader.MEMBERS)
                                        + " are for executions that are queued; send the header Prefer: respond-async with them"));
            }
            Instant latest = now.plus(settings.startAheadMax());
            if (wishes.startAt().isPresent() && wishes.startAt().get().isAfter(latest)) {
                wrong.add(new InputError(
                        "/meta/start_at",
                        "is too far ahead; it may be at most "
                                + settings.startAheadMax().toHours() + " hours from now"));
            }
        });
        if (request.callback().isPresent() && !manner.queued()) {
            wrong.add(new InputError(
                    "/meta/" + CallbackReader.MEMBER,
                    "is for executions that are queued; send the header Prefer: respond-async with it"));
        }
        return wrong;
    }

    /** The same for what has to be looked up. */
    Uni<List<InputError>> wrongWithCallback(RunnerRequest request, ProjectScope scope) {
        return request.callback()
                .map(wish -> callbacks
                        .refusal(scope, wish.url())
                        .map(refusal -> refusal.map(message -> List.of(new InputError(CallbackReader.URL, message)))
                                .orElse(List.of())))
                .orElseGet(() -> Uni.createFrom().item(List.of()));
    }

    /** The refusal of what is larger than what is queued or kept may be. */
    Optional<ExecutionAnswer> tooLarge(RunnerRequest request, Manner manner) {
        if ((manner.queued() || keeps(request)) && size(envelopes.kept(request)) > settings.inputBytesMax()) {
            return Optional.of(new ExecutionAnswer.Refused(
                    ErrorCode.PAYLOAD_TOO_LARGE,
                    "A request that is queued, or whose input is kept, may have at most " + settings.inputBytesMax()
                            + " bytes.",
                    Optional.empty()));
        }
        return Optional.empty();
    }

    private static int size(JsonText text) {
        return text.value().getBytes(StandardCharsets.UTF_8).length;
    }

    private boolean keeps(RunnerRequest request) {
        return request.keepInput() || settings.keepsInputs();
    }

    /** What to put into the queue; empty when it is to be run at once, or not at all. */
    Optional<QueuedWork> work(Run run, Manner manner) {
        if (!manner.queued() || !(run.decision() instanceof Decision.Allow allow)) {
            return Optional.empty();
        }
        Queueing wishes = run.request().queueing().orElse(Queueing.PLAIN);
        // Who says once gets once, whatever the policy says of those who do not care.
        RetryRule retry = wishes.retry().or(() -> allow.obligations().retry()).orElse(RetryRule.ONCE);
        Instant readyAt = wishes.startAt().filter(run.requestedAt()::isBefore).orElse(run.requestedAt());
        return Optional.of(new QueuedWork(
                wishes,
                retry,
                readyAt,
                envelopes.kept(run.request()),
                run.request().callback()));
    }

    /** What to keep of what was asked; nothing of what was denied. */
    Optional<KeptInput> kept(Run run) {
        return keeps(run.request()) && run.decision() instanceof Decision.Allow
                ? Optional.of(new KeptInput(
                        envelopes.kept(run.request()), run.requestedAt().plus(settings.inputsKept())))
                : Optional.empty();
    }

    /** Admits, if the queue has room for it. */
    Uni<ExecutionAnswer> within(ProjectId project, Supplier<Uni<ExecutionAnswer>> admit) {
        return budget.within(
                project,
                admit,
                full -> new ExecutionAnswer.Refused(
                        ErrorCode.RATE_LIMITED,
                        full == QueueBudget.Full.PROJECT
                                ? "The project has as many executions queued as it may, " + settings.projectQueuedMax()
                                        + "."
                                : "The queue is full.",
                        Optional.of(COME_AGAIN)));
    }

    /** It is queued, and on record. */
    ExecutionAnswer queued(Run run) {
        tell.run();
        return new ExecutionAnswer.Queued(run.id(), false);
    }

    /** What becomes of the work of a run that has ended so; empty when it was never queued. */
    Optional<QueueEnd> end(Run run, Answers.End end, Instant now) {
        return run.attempt().map(_ -> new QueueEnd(Optional.empty(), end.envelope(), now.plus(settings.resultsKept())));
    }
}
