package io.aiel.plane.gateway.schedule;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.Manner;
import io.aiel.plane.gateway.execution.ScheduledRun;
import io.aiel.plane.gateway.execution.TokenStanding;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Begins what is due: claims schedules, and for each due time submits its request to the queue, as a request of who made the schedule, under the
 * run's own key. So a due time that two servers see, or one of them again after a start, is one execution.
 *
 * <p>Thread-safe; nothing blocks. One look at a time.
 */
public final class ScheduleRunner {
    private static final Logger LOG = Logger.getLogger(ScheduleRunner.class);

    /** Longer than a look at one schedule can take: it submits a few requests. */
    private static final Duration LEASE = Duration.ofMinutes(1);

    /** What could not be queued now is tried again after this time. */
    private static final Duration LATER = Duration.ofSeconds(10);

    /** What waits for an earlier run to end is looked at again after this time. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private final ScheduleStore store;
    private final Submitter submitter;
    private final Stopper stopper;
    private final TokenStanding standing;
    private final ScheduleSettings settings;
    private final ObjectMapper json;
    private final Clock clock;
    private final AtomicBoolean looking = new AtomicBoolean();

    /** Puts a request into the queue, as {@link io.aiel.plane.gateway.execution.ExecutionService#execute} does. */
    @FunctionalInterface
    interface Submitter {
        Uni<ExecutionAnswer> submit(Caller caller, JsonNode request, Optional<String> key, Manner manner);
    }

    /** Asks an execution of a schedule to stop. */
    @FunctionalInterface
    interface Stopper {
        Uni<Void> stop(Schedule schedule, ExecutionId execution);
    }

    ScheduleRunner(
            ScheduleStore store,
            Submitter submitter,
            Stopper stopper,
            TokenStanding standing,
            ScheduleSettings settings,
            ObjectMapper json,
            Clock clock) {
        this.store = store;
        this.submitter = submitter;
        this.stopper = stopper;
        this.standing = standing;
        this.settings = settings;
        this.json = json;
        this.clock = clock;
    }

    /** Looks whether something is due. To be called at intervals. */
    public void look() {
        if (!looking.compareAndSet(false, true)) {
            return;
        }
        run().onTermination().invoke(() -> looking.set(false)).subscribe().with(_ -> {}, failure -> {
            // What was claimed is free again after its lease.
            LOG.warnf("it could not be looked for schedules (%s); it will be again", failure.toString());
        });
    }

    /** One look; the item comes when all that it claimed is dealt with. */
    Uni<Void> run() {
        return store.claim(LEASE, clock.instant())
                .onItem()
                .transformToMulti(Multi.createFrom()::iterable)
                .onItem()
                .transformToUniAndMerge(schedule -> begin(schedule).onFailure().recoverWithUni(failure -> {
                    LOG.warnf("%s could not be begun (%s); it will be tried again", schedule.id(), failure.toString());
                    return Uni.createFrom().voidItem();
                }))
                .collect()
                .asList()
                .replaceWithVoid();
    }

    private Uni<Void> begin(Schedule schedule) {
        DuePlan plan = schedule.nextAt()
                .map(nextAt -> DuePlan.of(
                        schedule.recurrence(),
                        nextAt,
                        clock.instant(),
                        schedule.treatment().catchUp(),
                        schedule.treatment().window(),
                        settings.grace()))
                .orElse(DuePlan.NOTHING);
        Look look = new Look(schedule.waitingAt());
        plan.missed().ifPresent(dueAt -> look.passed.add(new ScheduleStore.Passed(dueAt, "missed", "")));
        List<Instant> due = new ArrayList<>();
        schedule.waitingAt().ifPresent(due::add);
        due.addAll(plan.fire());
        return fire(schedule, due, 0, look).chain(stopped -> advance(schedule, plan, look, stopped));
    }

    /** @param stopped the due time that cannot be queued now, if there is one */
    private Uni<Void> advance(Schedule schedule, DuePlan plan, Look look, Optional<Instant> stopped) {
        if (stopped.isEmpty()) {
            Duration after = look.waiting.isPresent() ? SOON : Duration.ZERO;
            return store.advance(schedule, look.passed, look.waiting, plan.next(), after);
        }
        // One that has waited keeps its place, and what came after it is still to be looked at.
        boolean hadWaited = stopped.equals(schedule.waitingAt());
        return store.advance(schedule, look.passed, look.waiting, hadWaited ? schedule.nextAt() : stopped, LATER);
    }

    /** What a look at one schedule has come to so far; used by one step after the other. */
    private static final class Look {
        private final List<ScheduleStore.Passed> passed = new ArrayList<>();
        private Optional<Instant> waiting;

        Look(Optional<Instant> waiting) {
            this.waiting = waiting;
        }

        private boolean isWaiting(Instant dueAt) {
            return waiting.filter(dueAt::equals).isPresent();
        }

        private void over(Instant dueAt) {
            if (isWaiting(dueAt)) {
                waiting = Optional.empty();
            }
        }
    }

    /** One after the other from this place on; the item is the first that has to come again, if one has to. */
    private Uni<Optional<Instant>> fire(Schedule schedule, List<Instant> due, int place, Look look) {
        if (place == due.size()) {
            return Uni.createFrom().item(Optional.empty());
        }
        Instant dueAt = due.get(place);
        return fire(schedule, dueAt, look).chain(fired -> {
            switch (fired) {
                case Fired.Later _ -> {
                    return Uni.createFrom().item(Optional.of(dueAt));
                }
                case Fired.Passed(var outcome, var code) -> {
                    look.passed.add(new ScheduleStore.Passed(dueAt, outcome, code));
                    look.over(dueAt);
                }
                case Fired.OnRecord _ -> look.over(dueAt);
                case Fired.Waits _ -> look.waiting = Optional.of(dueAt);
            }
            return fire(schedule, due, place + 1, look);
        });
    }

    /** What came of a due time. */
    private sealed interface Fired {
        /** It is an execution, queued or denied. */
        record OnRecord() implements Fired {}

        /** It is none. */
        record Passed(String outcome, String code) implements Fired {}

        /** It cannot be one now. */
        record Later() implements Fired {}

        /** It becomes one when an earlier run has ended. */
        record Waits() implements Fired {}
    }

    private Uni<Fired> fire(Schedule schedule, Instant dueAt, Look look) {
        return store.isDone(schedule, dueAt)
                .chain(done -> done
                        ? Uni.createFrom().<Fired>item(new Fired.OnRecord())
                        : schedule.treatment().overlap() == Overlap.ALLOW
                                ? submit(schedule, dueAt)
                                : store.active(schedule).chain(active -> afterOthers(schedule, dueAt, active, look)));
    }

    private Uni<Fired> afterOthers(Schedule schedule, Instant dueAt, List<ExecutionId> active, Look look) {
        if (active.isEmpty()) {
            return submit(schedule, dueAt);
        }
        return switch (schedule.treatment().overlap()) {
            case ALLOW -> submit(schedule, dueAt);
            case FORBID -> Uni.createFrom().item(new Fired.Passed("skipped", ""));
            case REPLACE -> stop(schedule, active).chain(() -> submit(schedule, dueAt));
            case QUEUE ->
                Uni.createFrom()
                        .item(
                                look.waiting.isEmpty() || look.isWaiting(dueAt)
                                        ? new Fired.Waits()
                                        : new Fired.Passed("skipped", ""));
        };
    }

    private Uni<Void> stop(Schedule schedule, List<ExecutionId> active) {
        return Multi.createFrom()
                .iterable(active)
                .onItem()
                .transformToUniAndConcatenate(id -> stopper.stop(schedule, id))
                .collect()
                .asList()
                .replaceWithVoid();
    }

    /**
     * A run at once, whatever the clock says: a request of who asks for it, with their rights, one submission. Empty when an earlier run has not ended
     * and the schedule has no two at a time.
     *
     * @param claimed so that nobody else begins one meanwhile
     */
    Uni<Optional<ExecutionAnswer>> trigger(
            ScheduleStore.Claimed claimed, Caller caller, AuditContext context, Instant now) {
        Schedule schedule = claimed.schedule();
        Uni<Optional<ExecutionAnswer>> submitted = store.triggered(context, schedule, now)
                .chain(() -> submitter.submit(
                        caller,
                        request(schedule),
                        Optional.of(schedule.key(now)),
                        Manner.triggered(new ScheduledRun(schedule.id(), now))))
                .map(Optional::of);
        return store.active(schedule).chain(active -> {
            if (active.isEmpty()) {
                return submitted;
            }
            return switch (schedule.treatment().overlap()) {
                case ALLOW -> submitted;
                case REPLACE -> stop(schedule, active).chain(() -> submitted);
                case FORBID, QUEUE -> Uni.createFrom().item(Optional.empty());
            };
        });
    }

    /** As a request of who made it, with what they may do now: who lost that right gets a denial, on record. */
    private Uni<Fired> submit(Schedule schedule, Instant dueAt) {
        return standing.afresh(schedule.holder().tokenId(), schedule.scope())
                .chain(principal -> submitter.submit(
                        schedule.caller(principal.orElse(schedule.holder()), dueAt),
                        request(schedule),
                        Optional.of(schedule.key(dueAt)),
                        Manner.scheduled(new ScheduledRun(schedule.id(), dueAt))))
                .map(this::fired);
    }

    private Fired fired(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Queued _, ExecutionAnswer.InProgress _, ExecutionAnswer.Replayed _ ->
                new Fired.OnRecord();
            case ExecutionAnswer.Envelope(var _, var envelope, var execution, var _) ->
                execution.isPresent()
                        ? new Fired.OnRecord()
                        : new Fired.Passed(
                                "refused", EnvelopeError.of(json, envelope).code());
            case ExecutionAnswer.Refused(var code, var _, var retryAfter) ->
                retryAfter.isPresent() ? new Fired.Later() : refused(code);
        };
    }

    private static Fired refused(ErrorCode code) {
        // Its key was used: by this due time, before the schedule was changed.
        return code == ErrorCode.IDEMPOTENCY_KEY_REUSED
                ? new Fired.OnRecord()
                : new Fired.Passed("refused", code.name());
    }

    /** What it submits each time. */
    JsonNode request(Schedule schedule) {
        try {
            return json.readTree(schedule.request().value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("the request of a schedule was read before", e);
        }
    }
}
