package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;

/**
 * Looks at an execution as soon as it has ended. Hears of the end at once when this server runs it, and otherwise looks now and then.
 * Thread-safe; a wait that is given up costs nothing more.
 */
public final class ExecutionWait {
    /** The longest time to wait. */
    public static final Duration MAX = Duration.ofSeconds(60);

    private static final int WAITING_MAX = 1_000;
    private static final Duration LOOK_AGAIN = Duration.ofMillis(500);

    private final ExecutionQueries queries;
    private final LiveExecutions live;
    private final Semaphore places = new Semaphore(WAITING_MAX);

    ExecutionWait(ExecutionQueries queries, LiveExecutions live) {
        this.queries = queries;
        this.live = live;
    }

    /** So many wait already that one more would be too many. */
    public static final class TooManyWait extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooManyWait() {
            super("more than " + WAITING_MAX + " requests wait for executions to end", null, false, false);
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
            if (!places.tryAcquire()) {
                return Uni.createFrom().failure(new TooManyWait());
            }
            long deadline = System.nanoTime() + atMost.toNanos();
            return again(look, id, deadline).onTermination().invoke(places::release);
        });
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
