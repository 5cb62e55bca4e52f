package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The places of queued executions at this server's workers, and the line of those that are claimed and have none yet. Where code is short, the line is
 * as long as what ends until the next claims: else each place would wait for a claim. Where code takes longer, nobody is in line.
 *
 * <p>A place is held from before the start is put on record, which needs no worker and, where much goes on, takes longer than most short code. So a
 * project whose code is short has more places than it may have workers; it has no more than those as soon as one of its places is held for longer than
 * {@link #SHORT}.
 *
 * <p>Thread-safe; nothing blocks, and nothing foreign is called under the lock.
 */
final class QueuePlaces {
    /** Code that takes no longer, its turn included, is short. */
    static final Duration SHORT = Duration.ofMillis(100);

    /** Places that become free more slowly than it looked are not waited for any longer: others may have what is in line. */
    static final Duration TURN_MAX = Duration.ofMillis(250);

    /** The line is as long as what ends in so many times the time from one claim to the next. */
    private static final int LEAD = 3;

    private final int most;
    private final int projectMax;
    private final int projectShortMax;
    private final Runnable freed;
    private final Reminder sweep;
    private final LongSupplier nanos;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Set<Turn> line = new LinkedHashSet<>();
    private final Map<ProjectId, Held> held = new HashMap<>();
    private int heldInAll;

    /** Short code that has ended since the last claim. */
    private final Map<ProjectId, Integer> endedSoon = new HashMap<>();

    /**
     * @param most places in all
     * @param projectMax places of one project
     * @param projectShortMax those of one whose code is short
     * @param freed told when a place has become free because its code has ended: the end is still to be recorded, which takes longer than most code
     * @param nanos the time, as of {@link System#nanoTime}
     */
    QueuePlaces(
            int most,
            int projectMax,
            int projectShortMax,
            Runnable freed,
            ExecutionGate.Timer timer,
            LongSupplier nanos) {
        this.most = most;
        this.projectMax = projectMax;
        this.projectShortMax = projectShortMax;
        this.freed = freed;
        this.sweep = new Reminder(timer, this::sweep);
        this.nanos = nanos;
    }

    private enum State {
        IN_LINE,
        HAS_A_PLACE,
        /** Its code has ended, or it has given up. */
        GONE
    }

    /** The places that one project has; there is none that has no place. */
    private static final class Held {
        /** As they got them. */
        private final Set<Turn> turns = new LinkedHashSet<>();

        /** Whether the code that ended last was short. */
        private boolean lastWasShort;

        private int max(int projectMax, int projectShortMax, long now) {
            return lastWasShort && now - turns.iterator().next().placedAt <= SHORT.toNanos()
                    ? projectShortMax
                    : projectMax;
        }
    }

    /** One execution's turn. */
    final class Turn implements QueuedRuns.Turn {
        private final ProjectId project;
        private final long since;
        // Under the lock:
        private State state = State.IN_LINE;
        private long placedAt;
        private @Nullable UniEmitter<? super Boolean> waiting;

        private Turn(ProjectId project, long since) {
            this.project = project;
            this.since = since;
        }

        @Override
        public Uni<Boolean> come() {
            return Uni.createFrom().emitter(emitter -> {
                State now;
                lock.lock();
                try {
                    now = state;
                    if (now == State.IN_LINE) {
                        waiting = emitter;
                    }
                } finally {
                    lock.unlock();
                }
                if (now != State.IN_LINE) {
                    emitter.complete(now == State.HAS_A_PLACE);
                }
            });
        }

        @Override
        public boolean holdsUpOthers() {
            lock.lock();
            try {
                return state == State.HAS_A_PLACE && (heldInAll >= most || !hasRoom(project, nanos.getAsLong()));
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void codeEnded() {
            lock.lock();
            try {
                @Nullable Held mine = held.get(project);
                if (state == State.HAS_A_PLACE && mine != null) {
                    long now = nanos.getAsLong();
                    mine.lastWasShort = now - placedAt <= SHORT.toNanos();
                    if (now - since <= SHORT.toNanos()) {
                        endedSoon.merge(project, 1, Integer::sum);
                    }
                }
            } finally {
                lock.unlock();
            }
            leave();
            freed.run();
        }

        /** It needs its place no more, or never will. Again it does nothing. */
        void leave() {
            lock.lock();
            try {
                if (state == State.HAS_A_PLACE) {
                    heldInAll--;
                    held.computeIfPresent(project, (_, mine) -> {
                        mine.turns.remove(this);
                        return mine.turns.isEmpty() ? null : mine;
                    });
                }
                line.remove(this);
                state = State.GONE;
            } finally {
                lock.unlock();
            }
            callNext();
        }
    }

    /** Gets in line, for a place at once where one is free. */
    Turn enter(ProjectId project) {
        Turn turn = new Turn(project, nanos.getAsLong());
        lock.lock();
        try {
            line.add(turn);
        } finally {
            lock.unlock();
        }
        callNext();
        return turn;
    }

    private void callNext() {
        List<UniEmitter<? super Boolean>> called = new ArrayList<>();
        lock.lock();
        try {
            long now = nanos.getAsLong();
            for (Iterator<Turn> all = line.iterator(); all.hasNext() && heldInAll < most; ) {
                Turn one = all.next();
                if (hasRoom(one.project, now)) {
                    all.remove();
                    one.state = State.HAS_A_PLACE;
                    one.placedAt = now;
                    heldInAll++;
                    held.computeIfAbsent(one.project, _ -> new Held()).turns.add(one);
                    if (one.waiting != null) {
                        called.add(one.waiting);
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        called.forEach(one -> one.complete(true));
        remindOfTheFirst();
    }

    /** Whether the project may have one place more. Under the lock. */
    private boolean hasRoom(ProjectId project, long now) {
        @Nullable Held has = held.get(project);
        return has == null || has.turns.size() < has.max(projectMax, projectShortMax, now);
    }

    private void remindOfTheFirst() {
        long left;
        lock.lock();
        try {
            if (line.isEmpty()) {
                return;
            }
            left = line.iterator().next().since + TURN_MAX.toNanos() - nanos.getAsLong();
        } finally {
            lock.unlock();
        }
        sweep.after(Duration.ofNanos(Math.max(1, left)));
    }

    private void sweep() {
        List<UniEmitter<? super Boolean>> late = new ArrayList<>();
        lock.lock();
        try {
            long before = nanos.getAsLong() - TURN_MAX.toNanos();
            for (Iterator<Turn> all = line.iterator(); all.hasNext(); ) {
                Turn one = all.next();
                if (one.since - before <= 0) {
                    all.remove();
                    one.state = State.GONE;
                    if (one.waiting != null) {
                        late.add(one.waiting);
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        late.forEach(one -> one.complete(false));
        remindOfTheFirst();
    }

    /** How many more may enter. */
    int room() {
        lock.lock();
        try {
            int soon = endedSoon.values().stream().mapToInt(Integer::intValue).sum();
            // Who is in line while places are free waits for those of its own project, and leaves these to others.
            return most - heldInAll + Math.max(0, Math.min(LEAD * soon, LEAD * most) - line.size());
        } finally {
            lock.unlock();
        }
    }

    /** For a claim: what each project has, those in line included, less what it may have in line; what ended until now is counted by this claim alone. */
    Map<ProjectId, Integer> claiming() {
        lock.lock();
        try {
            long now = nanos.getAsLong();
            Map<ProjectId, Integer> counts = new HashMap<>();
            held.forEach((project, has) ->
                    counts.put(project, has.turns.size() - has.max(projectMax, projectShortMax, now) + projectMax));
            line.forEach(one -> counts.merge(one.project, 1, Integer::sum));
            endedSoon.forEach((project, count) ->
                    counts.merge(project, -Math.min(LEAD * count, LEAD * projectMax), Integer::sum));
            endedSoon.clear();
            return counts;
        } finally {
            lock.unlock();
        }
    }
}
