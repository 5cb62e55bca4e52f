package io.aiel.plane.gateway.memory;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * How many statements of memory run at once on this server, and how many wait. Executions are admitted and closed over the same connections: without
 * this, slow searches could hold them all. Whoever finds no place to wait is told to come again. Thread-safe.
 */
final class MemoryGate {
    private static final int AGAIN_AFTER_S = 1;

    private final int runningMax;
    private final int waitingMax;

    private int running;

    private final Deque<Turn> waiting = new ArrayDeque<>();

    MemoryGate(int runningMax, int waitingMax) {
        this.runningMax = runningMax;
        this.waitingMax = waitingMax;
    }

    private static final class Turn {
        private final CompletableFuture<Void> comes = new CompletableFuture<>();
    }

    /** Runs this when its turn has come; fails with the {@link Refusal} when too many wait. */
    <T> Uni<T> pass(Uni<T> work) {
        return Uni.createFrom().deferred(() -> {
            Turn turn = take();
            return Uni.createFrom()
                    .completionStage(turn.comes)
                    .chain(() -> work)
                    .onTermination()
                    .invoke(() -> giveBack(turn));
        });
    }

    private synchronized Turn take() {
        Turn turn = new Turn();
        if (running < runningMax) {
            running++;
            turn.comes.complete(null);
        } else if (waiting.size() < waitingMax) {
            waiting.add(turn);
        } else {
            throw new Refusal(ErrorCode.RATE_LIMITED, "Too many memory calls at once on this server.")
                    .retryAfter(AGAIN_AFTER_S);
        }
        return turn;
    }

    private void giveBack(Turn turn) {
        // Outside the lock, as what waits goes on in it.
        next(turn).ifPresent(next -> next.comes.complete(null));
    }

    private synchronized Optional<Turn> next(Turn turn) {
        // Cancelled before its turn came: nothing is given back.
        if (waiting.remove(turn)) {
            return Optional.empty();
        }
        Optional<Turn> next = Optional.ofNullable(waiting.poll());
        if (next.isEmpty()) {
            running--;
        }
        return next;
    }
}
