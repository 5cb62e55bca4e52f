package io.aiel.plane.gateway.schedule;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionCancellation.Which;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.Manner;
import io.aiel.plane.gateway.execution.TokenStanding;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Pool;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The schedules feature, put together: keeps schedules, and begins what is due. Thread-safe. */
public final class Schedules {
    private static final int RUNS_SHOWN = 20;

    /** Longer than one submission takes. */
    private static final Duration TRIGGER_LEASE = Duration.ofMinutes(1);

    private final ScheduleStore store;
    private final ScheduleRunner runner;
    private final Executions executions;
    private final ScheduleSettings settings;
    private final ObjectMapper json;
    private final Clock clock;

    /** Starts nothing. */
    public Schedules(
            ScheduleSettings settings,
            Executions executions,
            TokenStanding standing,
            Pool pool,
            ControlAudit audit,
            ObjectMapper json,
            Clock clock) {
        this.store = new ScheduleStore(pool, audit, settings);
        this.executions = executions;
        this.settings = settings;
        this.json = json;
        this.clock = clock;
        this.runner = new ScheduleRunner(
                store,
                executions.service()::execute,
                (schedule, id) -> executions
                        .cancellation()
                        .cancel(
                                schedule.scope(),
                                schedule.auditContext(),
                                new Which(Optional.of(id), Optional.empty(), Optional.empty()))
                        .replaceWithVoid(),
                standing,
                settings,
                json,
                clock);
    }

    /** What begins what is due. */
    public ScheduleRunner runner() {
        return runner;
    }

    /** A new schedule, if its caller could queue its request now. */
    Uni<JsonObject> create(Caller caller, AuditContext context, @Nullable JsonNode body) {
        ScheduleWish wish = ScheduleWish.read(body, settings, now());
        return trial(caller, wish.request())
                .chain(() -> store.create(context, caller, Ids.create(Schedule.PREFIX), wish, now(), next(wish)))
                .map(made -> made.orElseThrow(() -> new Refusal(
                        ErrorCode.CONFLICT,
                        "The project has as many schedules as it may, " + settings.projectMax() + ".")))
                .map(made -> shown(made, caller.principal().id()));
    }

    /** The same schedule as it is wanted now; from now on it runs with the rights of this caller. */
    Uni<JsonObject> replace(Caller caller, AuditContext context, String id, @Nullable JsonNode body) {
        ScheduleWish wish = ScheduleWish.read(body, settings, now());
        return store.find(caller.scope(), id)
                .map(found -> found.orElseThrow(Refusal::notFound))
                .chain(() -> trial(caller, wish.request()))
                .chain(() -> store.replace(context, caller, id, wish, now(), next(wish)))
                .map(found -> found.orElseThrow(Refusal::notFound))
                .map(made -> shown(made, caller.principal().id()));
    }

    /** What was missed during the pause is not made up for. */
    Uni<JsonObject> pause(ProjectScope scope, PrincipalId reader, AuditContext context, String id, boolean paused) {
        return store.find(scope, id)
                .map(found -> found.orElseThrow(Refusal::notFound))
                .chain(found -> store.pause(
                        context,
                        scope,
                        id,
                        paused,
                        paused ? Optional.empty() : found.recurrence().after(now()),
                        now()))
                .map(found -> found.orElseThrow(Refusal::notFound))
                .map(found -> shown(found, reader));
    }

    /** A run now, as a request of this caller. */
    Uni<Run> trigger(Caller caller, AuditContext context, String id) {
        Instant now = now();
        return store.find(caller.scope(), id)
                .map(found -> found.orElseThrow(Refusal::notFound))
                // Whoever may not run it learns nothing of other runs by this, and stops none.
                .chain(found -> trial(caller, runner.request(found)))
                .chain(() -> store.claim(caller.scope(), id, TRIGGER_LEASE))
                .map(claimed -> claimed.orElseThrow(
                        () -> new Refusal(ErrorCode.CONFLICT, "Another run of the schedule is being begun; try again.")
                                .retryAfter(1)))
                .chain(claimed -> runner.trigger(claimed, caller, context, now)
                        .onTermination()
                        // Its lease ends by itself where this fails.
                        .call(() -> store.release(claimed).onFailure().recoverWithNull()))
                .map(answer -> answer.orElseThrow(() -> new Refusal(
                        ErrorCode.CONFLICT,
                        "An earlier run of the schedule has not ended, and its overlap allows no two at a time.")))
                .map(answer -> run(answer, id, now));
    }

    private Run run(ExecutionAnswer answer, String id, Instant dueAt) {
        check(answer);
        if (answer instanceof ExecutionAnswer.Queued(var execution, var _)) {
            return new Run(execution, id, dueAt);
        }
        throw new IllegalStateException("what is not refused is queued");
    }

    /** A run that is queued. */
    record Run(ExecutionId execution, String schedule, Instant dueAt) {}

    Uni<Void> delete(ProjectScope scope, AuditContext context, String id) {
        return store.delete(context, scope, id)
                .invoke(found -> {
                    if (!found) {
                        throw Refusal.notFound();
                    }
                })
                .replaceWithVoid();
    }

    /** One with its last runs. */
    Uni<JsonObject> find(ProjectScope scope, PrincipalId reader, String id) {
        return store.find(scope, id)
                .map(found -> found.orElseThrow(Refusal::notFound))
                .chain(found -> store.runs(id, RUNS_SHOWN)
                        .map(runs -> shown(found, reader).put("runs", runs)));
    }

    /** A page after this id; {@code rows} at most. */
    Uni<List<JsonObject>> list(ProjectScope scope, PrincipalId reader, String after, int rows) {
        return store.list(scope, after, rows)
                .map(all -> all.stream().map(one -> shown(one, reader)).toList());
    }

    /** The request is what its caller sends, and only theirs to see again. */
    private static JsonObject shown(Schedule schedule, PrincipalId reader) {
        return schedule.shown()
                .put(
                        "request",
                        schedule.holder().id().equals(reader)
                                ? new JsonObject(schedule.request().value())
                                : null);
    }

    /** Refuses what could not be queued now; a denial is on record. */
    private Uni<Void> trial(Caller caller, JsonNode request) {
        return executions
                .service()
                .execute(caller, request, Optional.empty(), Manner.TRIAL)
                .invoke(this::check)
                .replaceWithVoid();
    }

    private void check(ExecutionAnswer answer) {
        switch (answer) {
            case ExecutionAnswer.Queued _ -> {}
            case ExecutionAnswer.Refused(var code, var detail, var retryAfter) -> {
                Refusal refusal = new Refusal(code, detail);
                throw retryAfter
                        .map(after -> refusal.retryAfter((int) Math.max(1, after.toSeconds())))
                        .orElse(refusal);
            }
            case ExecutionAnswer.Envelope(var _, var envelope, var _, var _) -> {
                EnvelopeError error = EnvelopeError.of(json, envelope);
                throw new Refusal(ErrorCode.valueOf(error.code()), error.message(), Map.of("errors", inRequest(error)));
            }
            case ExecutionAnswer.Replayed _, ExecutionAnswer.InProgress _ ->
                throw new IllegalStateException("a trial has no key, and a run that is wanted now has a new one");
        }
    }

    private static List<Map<String, String>> inRequest(EnvelopeError error) {
        return error.errors().stream()
                .map(one -> {
                    Map<String, String> moved = new LinkedHashMap<>(one);
                    moved.computeIfPresent("pointer", (_, pointer) -> "/request" + pointer);
                    return moved;
                })
                .toList();
    }

    private Optional<Instant> next(ScheduleWish wish) {
        return wish.paused() ? Optional.empty() : wish.recurrence().after(now());
    }

    /** PostgreSQL keeps microseconds; what is answered now must equal what is read later. */
    private Instant now() {
        return clock.instant().truncatedTo(ChronoUnit.MICROS);
    }
}
