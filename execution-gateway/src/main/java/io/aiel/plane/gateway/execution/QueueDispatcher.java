package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiFunction;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * Takes work out of the queue as long as this server has room for it: claims when something was queued here or elsewhere, when something
 * ended, and at intervals. One claim at a time, and none right after another; what happens meanwhile leads to the next.
 *
 * <p>Where code is short, as many more are claimed as ended since the last claim: they begin when a place is free, without a claim that each
 * place would wait for. Other servers have to do without them for {@link #AHEAD} at most.
 *
 * <p>Thread-safe; nothing blocks, and nothing foreign is called under the lock.
 */
public final class QueueDispatcher {
    private static final Logger LOG = Logger.getLogger(QueueDispatcher.class);

    /** What found no place does not ask again at once: others of its project would not find one either. */
    private static final Duration PAUSE = Duration.ofMillis(250);

    /**
     * From one claim to the next. A claim costs the database more than what most code does, and may bring many: when a lot happens, it is
     * claimed for all of that together.
     */
    static final Duration PACE = Duration.ofMillis(10);

    /** Code that takes no longer leads to claims ahead of places, and what was claimed so is given back when it has not begun in that time. */
    static final Duration AHEAD = Duration.ofMillis(100);

    /** There may be so many times as many in hand as may have workers, those included whose end is being recorded. */
    private static final int ENDING_SHARE = 3;

    private final Claims queue;
    private final BiFunction<QueuedExecution, Runnable, Uni<QueuedRuns.Begun>> begin;
    private final LiveExecutions live;
    private final Executor loops;
    private final ExecutionGate.Timer timer;
    private final LongSupplier nanos;
    private final int inHandMax;
    private final int projectMax;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<ExecutionId, Claimed> inHand = new HashMap<>();
    /** Those of them whose code has ended: they hold no worker, and only their end is still to be recorded. */
    private final Set<ExecutionId> ending = new HashSet<>();

    /** Those of them that were claimed once more: the next attempt, or again after a crash of the database has lost the claim. */
    private final Set<ExecutionId> claimedAgain = new HashSet<>();

    /** Those of them that wait for a place, in their order. */
    private final Map<ExecutionId, Claimed> ahead = new LinkedHashMap<>();

    /** Those that hold a worker, or are on their way to one. */
    private final Map<ProjectId, Integer> held = new HashMap<>();

    private int heldInAll;

    /** Short code that has ended since the last claim. */
    private final Map<ProjectId, Integer> endedSoon = new HashMap<>();

    private final Map<ProjectId, Long> pausedUntil = new HashMap<>();
    private boolean claiming;
    private boolean again;
    private long nextAt;
    private boolean lookDue;
    private boolean sweepDue;

    private record Claimed(QueuedExecution one, long at) {
        ProjectId project() {
            return one.scope().project();
        }
    }

    /** What says who begins what. */
    interface Claims {
        /**
         * Claims what is ready, at most so many.
         *
         * @param held what each project has in hand here; less than nothing when it may have more than the most
         * @param projectMax what one project may have in hand here
         */
        Uni<List<QueuedExecution>> claim(int most, Map<ProjectId, Integer> held, int projectMax);

        /** Lets others begin it, after a while, or at once where it stood; nothing happens when this server does not hold it. */
        Uni<Void> giveBack(ExecutionId id, Duration after);
    }

    /**
     * @param begin runs one; the item comes when this server is done with it, and it is told before when a worker is free again
     * @param loops where each begins: all at once would keep the thread busy that claimed them
     * @param nanos the time, as of {@link System#nanoTime}
     * @param inHandMax how many this server begins at once
     * @param projectMax how many of one project
     */
    QueueDispatcher(
            Claims queue,
            BiFunction<QueuedExecution, Runnable, Uni<QueuedRuns.Begun>> begin,
            LiveExecutions live,
            Executor loops,
            ExecutionGate.Timer timer,
            LongSupplier nanos,
            int inHandMax,
            int projectMax) {
        this.queue = queue;
        this.begin = begin;
        this.live = live;
        this.loops = loops;
        this.timer = timer;
        this.nanos = nanos;
        this.nextAt = nanos.getAsLong();
        this.inHandMax = inHandMax;
        this.projectMax = projectMax;
    }

    /** Looks whether there is something to begin. To be called whenever there may be. */
    public void look() {
        int room;
        long wait;
        Map<ProjectId, Integer> counts = Map.of();
        lock.lock();
        try {
            room = live.draining() ? 0 : room();
            if (claiming || room <= 0) {
                again = true;
                return;
            }
            long now = nanos.getAsLong();
            wait = nextAt - now;
            if (wait <= 0) {
                nextAt = now + PACE.toNanos();
                claiming = true;
                again = false;
                counts = counts();
                endedSoon.clear();
            } else if (lookDue) {
                return;
            } else {
                lookDue = true;
            }
        } finally {
            lock.unlock();
        }
        if (wait > 0) {
            timer.after(Duration.ofNanos(wait), this::dueLook);
            return;
        }
        queue.claim(room, counts, projectMax).subscribe().with(this::claimed, failure -> {
            LOG.warnf("the queue could not be looked at (%s); it will be again", failure.toString());
            claimed(List.of());
        });
    }

    private void dueLook() {
        lock.lock();
        try {
            lookDue = false;
        } finally {
            lock.unlock();
        }
        look();
    }

    /** How many more to claim; ends that are slow to be recorded hold more back in time. Under the lock. */
    private int room() {
        int soon = endedSoon.values().stream().mapToInt(Integer::intValue).sum();
        return Math.min(
                inHandMax - heldInAll + Math.min(soon, inHandMax) - ahead.size(),
                ENDING_SHARE * inHandMax - inHand.size());
    }

    /** What each project has in hand; one that has to pause counts as having all that it may. Under the lock. */
    private Map<ProjectId, Integer> counts() {
        long now = nanos.getAsLong();
        pausedUntil.values().removeIf(until -> until - now <= 0);
        Map<ProjectId, Integer> counts = new HashMap<>(held);
        ahead.values().forEach(one -> counts.merge(one.project(), 1, Integer::sum));
        endedSoon.forEach((project, count) -> counts.merge(project, -Math.min(count, projectMax), Integer::sum));
        pausedUntil.keySet().forEach(project -> counts.put(project, projectMax));
        return counts;
    }

    private void claimed(List<QueuedExecution> claimed) {
        boolean more;
        lock.lock();
        try {
            claiming = false;
            long now = nanos.getAsLong();
            for (QueuedExecution one : claimed) {
                // Once is enough. What is still to be begun when this server is done with it is claimed anew.
                Claimed fresh = new Claimed(one, now);
                if (inHand.putIfAbsent(one.id(), fresh) == null) {
                    ahead.put(one.id(), fresh);
                } else {
                    claimedAgain.add(one.id());
                }
            }
            more = again;
        } finally {
            lock.unlock();
        }
        beginThoseWithAPlace();
        if (more) {
            look();
        }
    }

    private void beginThoseWithAPlace() {
        List<QueuedExecution> next = new ArrayList<>();
        boolean sweep;
        lock.lock();
        try {
            for (Iterator<Claimed> all = ahead.values().iterator(); all.hasNext() && heldInAll < inHandMax; ) {
                Claimed one = all.next();
                if (held.getOrDefault(one.project(), 0) < projectMax) {
                    all.remove();
                    heldInAll++;
                    held.merge(one.project(), 1, Integer::sum);
                    next.add(one.one());
                }
            }
            sweep = !ahead.isEmpty() && !sweepDue;
            sweepDue |= sweep;
        } finally {
            lock.unlock();
        }
        next.forEach(this::begin);
        if (sweep) {
            timer.after(AHEAD, this::sweep);
        }
    }

    private void begin(QueuedExecution one) {
        Uni.createFrom()
                .deferred(() -> begin.apply(one, () -> codeEnded(one)))
                .runSubscriptionOn(loops)
                .subscribe()
                .with(begun -> over(one, begun), failure -> {
                    LOG.errorf(failure, "%s was not begun; its claim will be freed", one.id());
                    over(one, QueuedRuns.Begun.OVER);
                });
    }

    /** Places became free more slowly than it looked: others may have what waits. */
    private void sweep() {
        List<QueuedExecution> late = new ArrayList<>();
        boolean sweepAgain;
        lock.lock();
        try {
            long before = nanos.getAsLong() - AHEAD.toNanos();
            for (Iterator<Claimed> all = ahead.values().iterator(); all.hasNext(); ) {
                Claimed one = all.next();
                if (one.at() - before <= 0) {
                    all.remove();
                    inHand.remove(one.one().id());
                    claimedAgain.remove(one.one().id());
                    late.add(one.one());
                }
            }
            sweepAgain = !ahead.isEmpty();
            sweepDue = sweepAgain;
        } finally {
            lock.unlock();
        }
        late.forEach(one -> giveBack(one, Duration.ZERO, () -> {}));
        if (sweepAgain) {
            timer.after(AHEAD, this::sweep);
        }
    }

    /** Its worker can serve the next while its end is being recorded, which takes longer than most code. */
    private void codeEnded(QueuedExecution one) {
        lock.lock();
        try {
            Claimed claimed = inHand.get(one.id());
            if (claimed == null || !ending.add(one.id())) {
                return;
            }
            let(claimed.project());
            if (nanos.getAsLong() - claimed.at() <= AHEAD.toNanos()) {
                endedSoon.merge(claimed.project(), 1, Integer::sum);
            }
        } finally {
            lock.unlock();
        }
        beginThoseWithAPlace();
        look();
    }

    private void over(QueuedExecution one, QueuedRuns.Begun begun) {
        if (begun == QueuedRuns.Begun.NOT_NOW) {
            giveBack(one, PAUSE, () -> {
                if (leave(one, true)) {
                    giveBack(one, PAUSE, () -> {});
                }
                // Others may have its place; its own project's turn comes after the pause.
                timer.after(PAUSE.plusMillis(1), this::look);
                beginThoseWithAPlace();
                look();
            });
            return;
        }
        boolean claimedAgain = leave(one, false);
        beginThoseWithAPlace();
        if (claimedAgain) {
            giveBack(one, Duration.ZERO, this::look);
        } else {
            look();
        }
    }

    private void giveBack(QueuedExecution one, Duration after, Runnable given) {
        queue.giveBack(one.id(), after)
                .onFailure()
                .invoke(failure -> LOG.warnf("%s could not be given back (%s)", one.id(), failure))
                .onTermination()
                .invoke(given)
                .subscribe()
                .with(_ -> {}, _ -> {});
    }

    /** Whether it was claimed again meanwhile. */
    private boolean leave(QueuedExecution one, boolean pause) {
        ProjectId project = one.scope().project();
        lock.lock();
        try {
            inHand.remove(one.id());
            if (!ending.remove(one.id())) {
                let(project);
            }
            if (pause) {
                pausedUntil.put(project, nanos.getAsLong() + PAUSE.toNanos());
            }
            return claimedAgain.remove(one.id());
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock. */
    private void let(ProjectId project) {
        heldInAll--;
        held.computeIfPresent(project, (_, count) -> count == 1 ? null : count - 1);
    }

    /** What this server has claimed and is not done with. */
    Set<ExecutionId> inHand() {
        lock.lock();
        try {
            return Set.copyOf(inHand.keySet());
        } finally {
            lock.unlock();
        }
    }
}
