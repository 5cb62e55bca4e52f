package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.loops.EventLoops;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A limit on how many rows there are, without counting them for each that is added: a count is believed for {@link #BELIEVED}, together with
 * what this server has added since it began, and nobody is refused by a count that is older than {@link #REFUSES}. What is being added when a
 * count begins is counted by it or not, so it counts beside it: sooner twice than not at all. Other servers can pass the limit by what they add
 * within that time.
 *
 * <p>Exact for this server: all that is added is let in by the newest count, and none begins before the one before it is known.
 *
 * <p>Thread-safe; nothing blocks, and nothing foreign is called under the lock.
 */
final class QueueTally {
    static final Duration BELIEVED = Duration.ofMillis(100);

    /** Not zero, or those that are refused would each have all rows counted. */
    static final Duration REFUSES = Duration.ofMillis(10);

    private final Supplier<Uni<Integer>> rows;
    private final int most;
    private final LongSupplier nanos;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    /** Let in, and not known to be over. */
    private int adding;

    private int users;
    private @Nullable Count newest;

    /**
     * @param rows counts them
     * @param nanos the time, as of {@link System#nanoTime}
     */
    QueueTally(Supplier<Uni<Integer>> rows, int most, LongSupplier nanos) {
        this.rows = rows;
        this.most = most;
        this.nanos = nanos;
    }

    /** One count, and what it may lack. */
    private static final class Count {
        private final long begunAt;
        private final AtomicBoolean started = new AtomicBoolean();
        private final CompletableFuture<Integer> found = new CompletableFuture<>();
        /** Under the lock of the tally. */
        private int since;

        Count(long begunAt, int since) {
            this.begunAt = begunAt;
            this.since = since;
        }
    }

    /**
     * The one that is to be added is the how-manieth since a count.
     *
     * @param last the count was made for it, or joined after another: there is no newer one to be had
     */
    private record Turn(Count count, int since, boolean last) {}

    /** What became of one that is to be added. */
    private enum Entry {
        ASKING,
        IN,
        /** Added, or given up. */
        OVER
    }

    /** Adds, if there is room; what {@code full} says otherwise. */
    <T> Uni<T> within(Supplier<Uni<T>> add, Supplier<Uni<T>> full) {
        return Uni.createFrom().deferred(() -> {
            AtomicReference<Entry> entry = new AtomicReference<>(Entry.ASKING);
            return EventLoops.goOnHere(isRoom(take(false), entry))
                    .chain(room -> room ? add.get() : full.get())
                    .onTermination()
                    .invoke(() -> {
                        if (entry.getAndSet(Entry.OVER) == Entry.IN) {
                            over();
                        }
                    });
        });
    }

    private Turn take(boolean last) {
        lock.lock();
        try {
            Count count = newest;
            if (count == null || (count.found.isDone() && isOlder(count, BELIEVED))) {
                count = renewed();
            }
            return new Turn(count, ++count.since, last);
        } finally {
            lock.unlock();
        }
    }

    /** @param entry made {@code IN} when it is let in, and so counts until it is over */
    private Uni<Boolean> isRoom(Turn turn, AtomicReference<Entry> entry) {
        boolean own = turn.count().started.compareAndSet(false, true);
        if (own) {
            Uni.createFrom()
                    .deferred(() -> rows.get())
                    .subscribe()
                    .with(turn.count().found::complete, turn.count().found::completeExceptionally);
        }
        return Uni.createFrom()
                .completionStage(turn.count().found.minimalCompletionStage())
                .onItemOrFailure()
                .transformToUni((found, failure) -> {
                    if (failure == null) {
                        return decided(turn, found, entry);
                    }
                    forget(turn.count());
                    // Another's count may have failed for its own sake.
                    return own || turn.last() ? Uni.createFrom().failure(failure) : isRoom(take(true), entry);
                });
    }

    private Uni<Boolean> decided(Turn turn, int found, AtomicReference<Entry> entry) {
        Turn next;
        lock.lock();
        try {
            Count count = turn.count();
            if (newest != count) {
                // What the newer one lets in does not know of this.
                Count newer = newest == null ? renewed() : newest;
                next = new Turn(newer, ++newer.since, true);
            } else if (found + turn.since() <= most) {
                boolean in = entry.compareAndSet(Entry.ASKING, Entry.IN);
                adding += in ? 1 : 0;
                return Uni.createFrom().item(in);
            } else {
                count.since--;
                if (turn.last() || !isOlder(count, REFUSES)) {
                    return Uni.createFrom().item(false);
                }
                Count newer = renewed();
                next = new Turn(newer, ++newer.since, true);
            }
        } finally {
            lock.unlock();
        }
        return isRoom(next, entry);
    }

    /** Those that are being added may be in it or not. Under the lock. */
    private Count renewed() {
        Count count = new Count(nanos.getAsLong(), adding);
        newest = count;
        return count;
    }

    private boolean isOlder(Count count, Duration age) {
        return nanos.getAsLong() - count.begunAt > age.toNanos();
    }

    /** One that failed says nothing to anybody else. */
    private void forget(Count count) {
        lock.lock();
        try {
            if (newest == count) {
                newest = null;
            }
        } finally {
            lock.unlock();
        }
    }

    private void over() {
        lock.lock();
        try {
            adding--;
        } finally {
            lock.unlock();
        }
    }

    /** Somebody will ask, or has done so and is not answered: it is not idle until {@link #done}. */
    void use() {
        lock.lock();
        try {
            users++;
        } finally {
            lock.unlock();
        }
    }

    void done() {
        lock.lock();
        try {
            users--;
        } finally {
            lock.unlock();
        }
    }

    /** Whether nobody uses it, and it knows nothing that a new one would not. */
    boolean isIdle() {
        lock.lock();
        try {
            return users == 0 && adding == 0 && (newest == null || isOlder(newest, BELIEVED));
        } finally {
            lock.unlock();
        }
    }
}
