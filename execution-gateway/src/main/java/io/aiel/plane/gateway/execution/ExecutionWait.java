package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.Shares;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Looks at an execution as soon as it has ended. Hears of the end at once when this server runs it, and otherwise looks now and then.
 * Projects share the places for those who wait. Thread-safe; a wait that is given up costs nothing more.
 */
public final class ExecutionWait {
    /** The longest time to wait. */
    public static final Duration MAX = Duration.ofSeconds(60);

    private static final int WAITING_MAX = 1_000;
    private static final Duration LOOK_AGAIN = Duration.ofMillis(500);

    private final ExecutionQueries queries;
    private final LiveExecutions live;
    private final Shares<ProjectId> places;

    ExecutionWait(ExecutionQueries queries, LiveExecutions live) {
        this(queries, live, WAITING_MAX);
    }

    ExecutionWait(ExecutionQueries queries, LiveExecutions live, int waitingMax) {
        this.queries = queries;
        this.live = live;
        this.places = new Shares<>(waitingMax);
    }

    /** So many wait already that one more would be too many. */
    public static final class TooManyWait extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final ErrorCode code;

        TooManyWait(ErrorCode code, String detail) {
            super(detail, null, false, false);
            this.code = code;
        }

        /** Whether it is the project or the server that has too many. */
        public ErrorCode code() {
            return code;
        }

        /** For the caller. */
        public String detail() {
            return Objects.requireNonNull(getMessage());
        }
    }

    /**
     * The execution, when it has ended or the time is over, whichever comes first; empty when the project has none with this id.
     *
     * @param reader who looks: the answer of a queued execution is for whoever asked for it
     */
    public Uni<Optional<JsonObject>> find(ProjectScope scope, ExecutionId id, PrincipalId reader, Duration atMost) {
        Uni<Optional<JsonObject>> look = Uni.createFrom().deferred(() -> queries.find(scope, id, Optional.of(reader)));
        return look.chain(first -> {
            if (isOver(first) || !atMost.isPositive()) {
                return Uni.createFrom().item(first);
            }
            return switch (places.take(scope.project(), 1)) {
                case NOT_FREE ->
                    tooMany(ErrorCode.CAPACITY_EXHAUSTED, "Too many requests wait for executions to end already.");
                case HAS_ITS_SHARE ->
                    tooMany(
                            ErrorCode.RATE_LIMITED,
                            "As many requests of the project wait for executions to end as its share of this server allows.");
                case TAKEN -> {
                    long deadline = System.nanoTime() + atMost.toNanos();
                    // Who goes away just when the item comes is heard of twice.
                    AtomicBoolean given = new AtomicBoolean();
                    yield again(look, id, deadline).onTermination().invoke(() -> {
                        if (given.compareAndSet(false, true)) {
                            places.giveBack(scope.project(), 1);
                        }
                    });
                }
            };
        });
    }

    /** How many wait. */
    long waiting() {
        return places.held();
    }

    private static Uni<Optional<JsonObject>> tooMany(ErrorCode code, String detail) {
        return Uni.createFrom().failure(new TooManyWait(code, detail));
    }

    private Uni<Optional<JsonObject>> again(Uni<Optional<JsonObject>> look, ExecutionId id, long deadline) {
        Duration left = Duration.ofNanos(Math.max(1, deadline - System.nanoTime()));
        return pause(id, left)
                .chain(() -> look)
                .chain(found -> isOver(found) || System.nanoTime() - deadline >= 0
                        ? Uni.createFrom().item(found)
                        : again(look, id, deadline));
    }

    private Uni<Void> pause(ExecutionId id, Duration left) {
        CompletionStage<Void> over = live.over(id);
        if (over == null) {
            // It may wait in the queue, and begin and end here before the next look.
            return within(live.watch(id), left.compareTo(LOOK_AGAIN) < 0 ? left : LOOK_AGAIN)
                    .onTermination()
                    .invoke(() -> live.unwatch(id));
        }
        return within(over, left);
    }

    private static Uni<Void> within(CompletionStage<Void> stage, Duration limit) {
        return Uni.createFrom()
                .completionStage(stage)
                .ifNoItem()
                .after(limit)
                .recoverWithUni(Uni.createFrom().voidItem())
                .replaceWithVoid();
    }

    private static boolean isOver(Optional<JsonObject> found) {
        return found.map(row -> !ExecutionStatus.goesOn(row.getString("status")))
                .orElse(true);
    }
}
