package io.aiel.plane.gateway.memory;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.overload.Shares;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * How many statements of memory run at once on this server, and how many wait. Executions are admitted and closed over the same connections: without
 * this, slow searches could hold them all. Projects share both, and have turns: nobody waits behind all that another project has to do. Whoever finds
 * no place to wait is told to come again. Thread-safe.
 */
final class MemoryGate {
    private static final int AGAIN_AFTER_S = 1;

    private final Shares<ProjectId> running;
    private final Shares<ProjectId> waiting;

    /** Who waits, of projects where somebody does; the project that waits longest for a turn first. */
    private final SequencedMap<ProjectId, Deque<Turn>> lines = new LinkedHashMap<>();

    MemoryGate(int runningMax, int waitingMax) {
        this.running = new Shares<>(runningMax);
        this.waiting = new Shares<>(waitingMax);
    }

    private static final class Turn {
        private final ProjectId project;
        private final CompletableFuture<Void> comes = new CompletableFuture<>();
        /** Who goes away just when the item comes is heard of twice. */
        private boolean over;

        Turn(ProjectId project) {
            this.project = project;
        }
    }

    /** Runs this when its turn has come; fails with the {@link Refusal} when too many wait. */
    <T> Uni<T> pass(ProjectId project, Uni<T> work) {
        return Uni.createFrom().deferred(() -> {
            Turn turn = take(project);
            return Uni.createFrom()
                    .completionStage(turn.comes)
                    .chain(() -> work)
                    .onTermination()
                    .invoke(() -> giveBack(turn));
        });
    }

    private synchronized Turn take(ProjectId project) {
        Turn turn = new Turn(project);
        if (running.take(project, 1) == Shares.Answer.TAKEN) {
            turn.comes.complete(null);
            return turn;
        }
        switch (waiting.take(project, 1)) {
            case TAKEN ->
                lines.computeIfAbsent(project, _ -> new ArrayDeque<>()).add(turn);
            case HAS_ITS_SHARE ->
                throw refusal("The project has as many memory calls at once as its share of this server allows.");
            case NOT_FREE -> throw refusal("Too many memory calls at once on this server.");
        }
        return turn;
    }

    private static Refusal refusal(String detail) {
        return new Refusal(ErrorCode.RATE_LIMITED, detail).retryAfter(AGAIN_AFTER_S);
    }

    private void giveBack(Turn turn) {
        // Outside the lock, as what waits goes on in it.
        next(turn).forEach(next -> next.comes.complete(null));
    }

    private synchronized List<Turn> next(Turn turn) {
        if (turn.over) {
            return List.of();
        }
        turn.over = true;
        @Nullable Deque<Turn> line = lines.get(turn.project);
        if (line != null && line.remove(turn)) {
            // Cancelled before its turn came: it held no more than a place to wait.
            left(turn.project, line);
            return List.of();
        }
        running.giveBack(turn.project, 1);
        List<Turn> begin = new ArrayList<>();
        // Mostly one: what a project gives back can be another's and, by its share, the project's own.
        for (Optional<Turn> next = poll(); next.isPresent(); next = poll()) {
            begin.add(next.get());
        }
        return begin;
    }

    private Optional<Turn> poll() {
        for (var entry : lines.entrySet()) {
            ProjectId project = entry.getKey();
            if (running.take(project, 1) == Shares.Answer.TAKEN) {
                Deque<Turn> line = entry.getValue();
                Turn turn = line.remove();
                lines.putLast(project, line);
                left(project, line);
                return Optional.of(turn);
            }
        }
        return Optional.empty();
    }

    private void left(ProjectId project, Deque<Turn> line) {
        waiting.giveBack(project, 1);
        if (line.isEmpty()) {
            lines.remove(project);
        }
    }
}
