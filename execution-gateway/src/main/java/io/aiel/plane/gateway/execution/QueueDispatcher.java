package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * Takes work out of the queue as long as this server runs any and has room for it: claims when something was queued here or elsewhere, when something
 * ended, and at intervals. One claim at a time, and none right after another; what happens meanwhile leads to the next. What is claimed
 * begins when it has its turn ({@link QueuePlaces}).
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

    /** From a claim that brought {@link #MANY} or more to the next: much is going on, and fewer claims that bring more cost half as much. */
    static final Duration PACE_OF_MANY = Duration.ofMillis(20);

    static final int MANY = 5;

    /** There may be so many times as many in hand as may have workers, those included that are in line or whose end is being recorded. */
    private static final int IN_HAND_SHARE = 3;

    private final Claims queue;
    private final BiFunction<QueuedExecution, QueuedRuns.Turn, Uni<QueuedRuns.Begun>> begin;
    private final LiveExecutions live;
    private final BooleanSupplier runsWork;
    private final Executor loops;
    private final ExecutionGate.Timer timer;
    private final LongSupplier nanos;
    private final int inHandMax;
    private final int projectMax;
    private final QueuePlaces places;
    private final Reminder nextLook;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Set<ExecutionId> inHand = new HashSet<>();

    /** Those of them that were claimed once more: the next attempt, or again after a crash of the database has lost the claim. */
    private final Set<ExecutionId> claimedAgain = new HashSet<>();

    private final Map<ProjectId, Long> pausedUntil = new HashMap<>();
    private boolean claiming;
    private boolean again;
    private long nextAt;

    /** What says who begins what. */
    interface Claims {
        /**
         * Claims what is ready, at most so many.
         *
         * @param held what each project has in hand here; less than nothing when it may have more than the most
         * @param projectMax what one project may have in hand here
         */
        Uni<List<QueuedExecution>> claim(int most, Map<ProjectId, Integer> held, int projectMax);

        /** Lets others begin it, after a while, or with no delay where it stood; nothing happens when this server does not hold it. */
        Uni<Void> giveBack(ExecutionId id, Duration after);
    }

    /**
     * @param begin runs one; the item comes when this server is done with it
     * @param runsWork whether this server can run anything now; asked before each claim
     * @param loops where each begins: all at once would keep the thread busy that claimed them
     * @param nanos the time, as of {@link System#nanoTime}
     * @param inHandMax how many have workers at once
     * @param projectMax how many of one project
     * @param projectShortMax how many of one project whose code is short
     */
    QueueDispatcher(
            Claims queue,
            BiFunction<QueuedExecution, QueuedRuns.Turn, Uni<QueuedRuns.Begun>> begin,
            LiveExecutions live,
            BooleanSupplier runsWork,
            Executor loops,
            ExecutionGate.Timer timer,
            LongSupplier nanos,
            int inHandMax,
            int projectMax,
            int projectShortMax) {
        this.queue = queue;
        this.begin = begin;
        this.live = live;
        this.runsWork = runsWork;
        this.loops = loops;
        this.timer = timer;
        this.nanos = nanos;
        this.nextAt = nanos.getAsLong();
        this.inHandMax = inHandMax;
        this.projectMax = projectMax;
        this.places = new QueuePlaces(inHandMax, projectMax, projectShortMax, this::look, timer, nanos);
        this.nextLook = new Reminder(timer, this::look);
    }

    /** Looks whether there is something to begin. To be called whenever there may be. */
    public void look() {
        if (!runsWork.getAsBoolean()) {
            // What is claimed here would only go back, with a record of an attempt, and others could have begun it.
            return;
        }
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
            }
        } finally {
            lock.unlock();
        }
        if (wait > 0) {
            nextLook.after(Duration.ofNanos(wait));
            return;
        }
        queue.claim(room, counts, projectMax).subscribe().with(this::claimed, failure -> {
            LOG.warnf("the queue could not be looked at (%s); it will be again", failure.toString());
            claimed(List.of());
        });
    }

    /** How many more to claim; ends that are slow to be recorded hold more back in time. Under the lock. */
    private int room() {
        return Math.min(places.room(), IN_HAND_SHARE * inHandMax - inHand.size());
    }

    /** What each project has in hand; one that has to pause counts as having all that it may. Under the lock. */
    private Map<ProjectId, Integer> counts() {
        long now = nanos.getAsLong();
        pausedUntil.values().removeIf(until -> until - now <= 0);
        Map<ProjectId, Integer> counts = places.claiming();
        pausedUntil.keySet().forEach(project -> counts.put(project, projectMax));
        return counts;
    }

    private void claimed(List<QueuedExecution> claimed) {
        boolean more;
        List<QueuedExecution> fresh = new ArrayList<>(claimed.size());
        lock.lock();
        try {
            claiming = false;
            if (claimed.size() >= MANY) {
                nextAt += PACE_OF_MANY.minus(PACE).toNanos();
            }
            for (QueuedExecution one : claimed) {
                // Once is enough. What is still to be begun when this server is done with it is claimed anew.
                if (inHand.add(one.id())) {
                    fresh.add(one);
                } else {
                    claimedAgain.add(one.id());
                }
            }
            more = again;
        } finally {
            lock.unlock();
        }
        fresh.forEach(this::begin);
        if (more) {
            look();
        }
    }

    private void begin(QueuedExecution one) {
        QueuePlaces.Turn turn = places.enter(one.scope().project());
        Uni.createFrom()
                .deferred(() -> begin.apply(one, turn))
                .runSubscriptionOn(loops)
                .subscribe()
                .with(begun -> over(one, turn, begun), failure -> {
                    LOG.errorf(failure, "%s was not begun; its claim will be freed", one.id());
                    over(one, turn, QueuedRuns.Begun.OVER);
                });
    }

    private void over(QueuedExecution one, QueuePlaces.Turn turn, QueuedRuns.Begun begun) {
        if (begun == QueuedRuns.Begun.NOT_NOW) {
            giveBack(one, PAUSE, () -> {
                turn.leave();
                if (leave(one, true)) {
                    giveBack(one, PAUSE, () -> {});
                }
                // Others may have its place; its own project's turn comes after the pause.
                timer.after(PAUSE.plusMillis(1), this::look);
                look();
            });
            return;
        }
        turn.leave();
        boolean claimedTwice = leave(one, false);
        if (claimedTwice || begun == QueuedRuns.Begun.LATE) {
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
        lock.lock();
        try {
            inHand.remove(one.id());
            if (pause) {
                pausedUntil.put(one.scope().project(), nanos.getAsLong() + PAUSE.toNanos());
            }
            return claimedAgain.remove(one.id());
        } finally {
            lock.unlock();
        }
    }

    /** What this server has claimed and is not done with. */
    Set<ExecutionId> inHand() {
        lock.lock();
        try {
            return Set.copyOf(inHand);
        } finally {
            lock.unlock();
        }
    }
}
