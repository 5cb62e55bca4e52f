package io.aiel.plane.gateway.overload;

import com.netflix.concurrency.limits.Limit;
import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Stands before the sequence of an execution and gives out places. How many there are follows from how long the plane itself
 * takes; who gets one follows from who has how many.
 *
 * <ul>
 *   <li>While places are free, whoever comes gets one: nothing is kept idle for a project that may come, except a small
 *       <em>reserve</em>, an eighth of the limit, which only a project with few places may use. So somebody who comes while
 *       another has all the rest is not turned away.
 *   <li>When there is none, a project that holds as much as any other is refused at once. One that holds less may wait for a
 *       short time, and what becomes free goes to the waiting project that holds least. So projects that want more than there is end
 *       up with as many places each, and those that want less get what they want.
 *   <li>Requests come in bunches, and all that a server did not hear while it stood still comes as one. A project that of late held
 *       less than its share, or than the one that held most, may also wait with some times its share; and so may one that asks for less
 *       than what another is done with, however many it holds because all are slow, and one that gets what it asks for and asks for
 *       little beside another. Where no more can wait, the last of the project with the most requests goes for one of a project with fewer.
 * </ul>
 *
 * <p>Thread-safe; all state is under one lock, and nothing that is foreign is called under it. Of a project that holds no place
 * and waits for none it is remembered for a short time what it did, of {@value #REMEMBERED_MAX} such projects at most. Whoever waits
 * is answered on the thread that made the place free, or on the timer's.
 */
public final class ExecutionGate {
    private static final int RESERVED_SHARE = 8;

    /** Who held less than this part of its share, or of what the largest held, looked at over this time, has been modest. */
    private static final double MODEST = 0.9;

    private static final double MODEST_OVER_NANOS = 1e9;

    /** Executions are counted over this time. */
    private static final double COUNTED_OVER_NANOS = 2e9;

    /** So many times its share a modest project may want: about what comes in while a server that is full stands still for three quarters of a second. */
    private static final int BUNCH_SHARES = 6;

    /** Who asks for less than this part of what another one asks for asks for little beside it. */
    private static final double LITTLE = 0.25;

    /** A loud project that has nothing in hand for a moment is not taken for one that has just come. */
    private static final int REMEMBERED_MAX = 64;

    /** Runs a task later, on a thread of its own. */
    @FunctionalInterface
    public interface Timer {
        /** Runs it once, after this time. */
        void after(Duration delay, Runnable task);
    }

    /**
     * How it stands.
     *
     * @param limit places that there are now
     * @param taken those that are taken; more than the limit only while a lowered limit is being reached
     * @param waiting requests that wait for one
     * @param projects projects that hold or wait
     */
    public record State(int limit, int taken, int waiting, int projects) {}

    /** One project that holds or waits, or did so a short time ago. All fields under the lock. */
    static final class Holder {
        final ProjectId project;
        private final Deque<Waiter> waiters = new ArrayDeque<>();
        private int held;
        private double usuallyHeld;
        private double asked;
        private double came;
        private double done;
        private long changed;

        Holder(ProjectId project, long now) {
            this.project = project;
            this.changed = now;
        }

        private int wanted() {
            return held + waiters.size();
        }

        /** How many it held of late: an average in which what is longer ago counts less. */
        private double usuallyHeld(long now) {
            return held + (usuallyHeld - held) * Math.exp(-(now - changed) / MODEST_OVER_NANOS);
        }

        private boolean isIdle() {
            return held == 0 && waiters.isEmpty();
        }

        /** How many asked of late, those included that were refused at once. */
        private double askedOfLate(long now) {
            return asked * fadedSinceChange(now);
        }

        /** How many were not refused at once of late. */
        private double cameOfLate(long now) {
            return came * fadedSinceChange(now);
        }

        /** How many came to an end of late. */
        private double doneOfLate(long now) {
            return done * fadedSinceChange(now);
        }

        private double fadedSinceChange(long now) {
            return Math.exp(-(now - changed) / COUNTED_OVER_NANOS);
        }

        private void goesAway(long now) {
            fade(now);
            asked++;
        }

        private void comes(long now) {
            fade(now);
            asked++;
            came++;
        }

        private void takes(long now) {
            fade(now);
            held++;
        }

        private void leaves(long now) {
            fade(now);
            held--;
            done++;
        }

        private void fade(long now) {
            usuallyHeld = usuallyHeld(now);
            asked = askedOfLate(now);
            came = cameOfLate(now);
            done = doneOfLate(now);
            changed = now;
        }
    }

    record Waiter(Holder holder, long since, CompletableFuture<Entry> answer) {}

    private final GateSettings settings;
    private final Limit adaptive;
    private final Timer timer;
    private final LongSupplier nanoTime;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<ProjectId, Holder> holders = new HashMap<>();

    /** Those of them that hold nothing and do not wait, by when they last did. */
    private final Set<Holder> idle = new LinkedHashSet<>();

    private int limit;
    private int taken;
    private int waiting;

    /** A gate whose limit follows the samples that leaving executions give. */
    public ExecutionGate(GateSettings settings, Timer timer) {
        this(settings, AdaptiveLimit.of(settings), timer, System::nanoTime);
    }

    ExecutionGate(GateSettings settings, Limit adaptive, Timer timer, LongSupplier nanoTime) {
        this.settings = settings;
        this.adaptive = adaptive;
        this.timer = timer;
        this.nanoTime = nanoTime;
        this.limit = adaptive.getLimit();
        adaptive.notifyOnChange(this::limitIs);
    }

    /** The smallest limit at which one project alone can have so many places: the reserve is not for it. */
    public static int limitFor(int places) {
        int limit = Math.max(1, places);
        while (limit - reserve(limit) < places) {
            limit++;
        }
        return limit;
    }

    /** Asks for a place; the answer never fails, and comes within the waiting time. */
    public CompletionStage<Entry> enter(ProjectId project) {
        Waiter waiter;
        @Nullable Waiter displaced = null;
        long now = nanoTime.getAsLong();
        lock.lock();
        try {
            @Nullable Holder known = holders.get(project);
            Optional<Entry.Reason> refusal = refusal(known, now);
            if (refusal.isPresent()) {
                countRefusal(known, now);
                return CompletableFuture.completedFuture(new Entry.Refused(refusal.get()));
            }
            Holder holder = known == null ? holder(project, now) : known;
            idle.remove(holder);
            holder.comes(now);
            if (takesAtOnce(holder, projects())) {
                return CompletableFuture.completedFuture(take(holder, now));
            }
            if (waiting >= settings.waitingMax()) {
                displaced = displace(holder.wanted());
            }
            waiter = new Waiter(holder, now, new CompletableFuture<>());
            holder.waiters.addLast(waiter);
            waiting++;
        } finally {
            lock.unlock();
        }
        if (displaced != null) {
            displaced.answer().complete(new Entry.Refused(Entry.Reason.PROJECT));
        }
        timer.after(settings.waitMax(), () -> waitedTooLong(waiter));
        return waiter.answer().minimalCompletionStage();
    }

    /**
     * Why {@link #enter} would refuse this project now; empty when it would get a place, or could wait for one. Takes nothing, so that
     * a request can be refused before anything is spent on it; one that is counts as one that asked.
     */
    public Optional<Entry.Reason> refusal(ProjectId project) {
        lock.lock();
        try {
            @Nullable Holder known = holders.get(project);
            long now = nanoTime.getAsLong();
            Optional<Entry.Reason> refusal = refusal(known, now);
            if (refusal.isPresent()) {
                countRefusal(known, now);
            }
            return refusal;
        } finally {
            lock.unlock();
        }
    }

    /** Places that one project can have at most. */
    public int projectMax() {
        return settings.projectMax();
    }

    /** How it stands now. */
    public State state() {
        lock.lock();
        try {
            return new State(limit, taken, waiting, projects());
        } finally {
            lock.unlock();
        }
    }

    /** Projects of which something is kept, those included that hold nothing and do not wait. */
    int known() {
        lock.lock();
        try {
            return holders.size();
        } finally {
            lock.unlock();
        }
    }

    // The rules. Under the lock.

    private int projects() {
        return holders.size() - idle.size();
    }

    private static void countRefusal(@Nullable Holder known, long now) {
        if (known != null) {
            known.goesAway(now);
        }
    }

    /** Whoever gets no place and may not wait for one; {@code known} is null for a project that has no state here. */
    private Optional<Entry.Reason> refusal(@Nullable Holder known, long now) {
        int wanted = known == null ? 0 : known.wanted();
        int projects = projects() + (known == null || known.isIdle() ? 1 : 0);
        if (known == null ? mayTake(0, projects) : takesAtOnce(known, projects)) {
            return Optional.empty();
        }
        if (!mayWait(wanted, known, projects, now)) {
            return Optional.of(Entry.Reason.PROJECT);
        }
        return waiting < settings.waitingMax() || mostWanting(wanted) != null
                ? Optional.empty()
                : Optional.of(Entry.Reason.NODE);
    }

    /** Nobody overtakes those of the same project that wait. */
    private boolean takesAtOnce(Holder holder, int projects) {
        return holder.waiters.isEmpty() && mayTake(holder.held, projects);
    }

    /**
     * A free place may be taken by a project that has not got its most, except that the last ones are for projects that would hold
     * less than their share even if one more came.
     */
    private boolean mayTake(int held, int projects) {
        if (taken >= limit || held >= settings.projectMax()) {
            return false;
        }
        return taken < limit - reserve() || held < Math.max(1, limit / (projects + 1));
    }

    private int reserve() {
        return reserve(limit);
    }

    private static int reserve(int limit) {
        return limit < 2 ? 0 : Math.max(1, limit / RESERVED_SHARE);
    }

    /**
     * Waiting makes sense for a project below its share, for a bunch of one that has been modest, and for one that would still
     * not hold more than the largest holder when all who wait have got their places from that one. With all that one project may
     * have in hand, only one that asks for less than another may wait: one that is alone would fill the waiting room.
     */
    private boolean mayWait(int wanted, @Nullable Holder known, int projects, long now) {
        int share = Math.max(1, (limit - reserve()) / projects);
        if (wanted >= settings.projectMax()) {
            return wanted < BUNCH_SHARES * share && known != null && isOutdone(known, share, now);
        }
        if (wanted < share) {
            return true;
        }
        int largest = 0;
        for (Holder holder : holders.values()) {
            largest = Math.max(largest, holder.held);
        }
        return wanted < largest - waiting - 1 || (wanted < BUNCH_SHARES * share && isModest(known, share, now));
    }

    private boolean isModest(@Nullable Holder known, int share, long now) {
        if (known == null) {
            return true;
        }
        double usuallyLargest = share;
        for (Holder holder : holders.values()) {
            usuallyLargest = Math.max(usuallyLargest, holder.usuallyHeld(now));
        }
        return known.usuallyHeld(now) < MODEST * usuallyLargest || isOutdone(known, share, now);
    }

    /** Whether another one asks for more, by either measure. */
    private boolean isOutdone(Holder known, int share, long now) {
        return asksForLess(known, now) || asksForLittle(known, share, now);
    }

    /** Whether what comes of a project is less than what another one is done with. */
    private boolean asksForLess(Holder known, long now) {
        double mostDone = 0;
        for (Holder holder : holders.values()) {
            if (holder != known) {
                mostDone = Math.max(mostDone, holder.doneOfLate(now));
            }
        }
        return known.cameOfLate(now) < MODEST * mostDone;
    }

    /**
     * Whether it got what it asked for of late, but for a bunch, and that is little beside what another one asks for. Unlike what is done,
     * what is asked for shows at once: also when two have just come, or nothing was done because the server stood still.
     */
    private boolean asksForLittle(Holder known, int share, long now) {
        double asked = known.askedOfLate(now);
        if (asked - known.doneOfLate(now) >= BUNCH_SHARES * share) {
            return false;
        }
        double mostAsked = 0;
        for (Holder holder : holders.values()) {
            mostAsked = Math.max(mostAsked, holder.askedOfLate(now));
        }
        return asked < LITTLE * mostAsked;
    }

    /** The project with the most requests here, if some of them wait and it has more than so many and the one that comes. */
    private @Nullable Holder mostWanting(int wanted) {
        Holder most = null;
        for (Holder holder : holders.values()) {
            if (!holder.waiters.isEmpty()
                    && holder.wanted() > wanted + 1
                    && (most == null || holder.wanted() > most.wanted())) {
                most = holder;
            }
        }
        return most;
    }

    /** Where all that may wait do, the last to come of the project with the most requests goes, for one of a project with fewer. */
    private @Nullable Waiter displace(int wanted) {
        @Nullable Holder most = mostWanting(wanted);
        if (most == null) {
            return null;
        }
        waiting--;
        return most.waiters.removeLast();
    }

    private Holder holder(ProjectId project, long now) {
        return holders.computeIfAbsent(project, absent -> new Holder(absent, now));
    }

    private Place take(Holder holder, long now) {
        Place place = new Place(this, holder, taken, holder.held);
        holder.takes(now);
        taken++;
        return place;
    }

    // What happens

    /** Completes what became possible; called without the lock. */
    private record Answer(Waiter waiter, Entry entry) {
        void give() {
            waiter.answer().complete(entry);
        }
    }

    void left(Place place) {
        List<Answer> answers = new ArrayList<>();
        lock.lock();
        try {
            taken--;
            place.holder().leaves(nanoTime.getAsLong());
            forgetIfIdle(place.holder());
            serve(answers);
        } finally {
            lock.unlock();
        }
        answers.forEach(Answer::give);
    }

    void sample(Place place, long ownNanos, boolean failed) {
        long own = Math.max(1, ownNanos);
        adaptive.onSample(nanoTime.getAsLong() - own, own, place.takenBefore() + 1, failed);
    }

    private void limitIs(int newLimit) {
        List<Answer> answers = new ArrayList<>();
        lock.lock();
        try {
            limit = newLimit;
            serve(answers);
        } finally {
            lock.unlock();
        }
        answers.forEach(Answer::give);
    }

    private void waitedTooLong(Waiter waiter) {
        List<Answer> answers = new ArrayList<>();
        lock.lock();
        try {
            if (!waiter.holder().waiters.remove(waiter)) {
                return;
            }
            waiting--;
            boolean hasItsMost = waiter.holder().held >= settings.projectMax();
            answers.add(new Answer(waiter, new Entry.Refused(hasItsMost ? Entry.Reason.PROJECT : Entry.Reason.WAITED)));
            forgetIfIdle(waiter.holder());
            serve(answers);
        } finally {
            lock.unlock();
        }
        answers.forEach(Answer::give);
    }

    /** Free places go to the waiting project that holds least, and among equals to the one that waits longest. */
    private void serve(List<Answer> answers) {
        while (waiting > 0) {
            Holder least = leastHolding();
            if (least == null || !mayTake(least.held, projects())) {
                return;
            }
            Waiter waiter = least.waiters.removeFirst();
            waiting--;
            answers.add(new Answer(waiter, take(least, nanoTime.getAsLong())));
        }
    }

    private @Nullable Holder leastHolding() {
        Holder least = null;
        for (Holder holder : holders.values()) {
            if (holder.waiters.isEmpty()) {
                continue;
            }
            if (least == null
                    || holder.held < least.held
                    || (holder.held == least.held
                            && holder.waiters.getFirst().since()
                                            - least.waiters.getFirst().since()
                                    < 0)) {
                least = holder;
            }
        }
        return least;
    }

    private void forgetIfIdle(Holder holder) {
        if (!holder.isIdle()) {
            return;
        }
        idle.add(holder);
        long before = nanoTime.getAsLong() - (long) COUNTED_OVER_NANOS;
        for (Iterator<Holder> oldest = idle.iterator(); oldest.hasNext(); ) {
            Holder one = oldest.next();
            if (idle.size() <= REMEMBERED_MAX && one.changed - before > 0) {
                return;
            }
            oldest.remove();
            holders.remove(one.project);
        }
    }
}
