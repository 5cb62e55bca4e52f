package io.aiel.plane.gateway.execution;

import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A limit on how many rows there are, without counting them for each that is added: a count is believed for {@link #BELIEVED}, together with
 * what this server has added since it began. What may be in a count already is counted again, so it is sooner counted twice than not at all;
 * when it is nearly full, some may be refused for others that ask at the same moment. A refusal is by a new count. Other servers can pass the
 * limit by what they add within that time.
 *
 * <p>Thread-safe; nothing blocks, and nothing foreign is called under the lock.
 */
final class QueueTally {
    static final Duration BELIEVED = Duration.ofMillis(100);

    /** A count that is older refuses nothing. Not zero, or those that are refused would each have all rows counted. */
    static final Duration REFUSES = Duration.ofMillis(10);

    private final Supplier<Uni<Integer>> rows;
    private final int most;
    private final LongSupplier nanos;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private int adding;
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
        private final Uni<Integer> found;
        /** Under the lock of the tally. */
        private int since;

        Count(long begunAt, Uni<Integer> found, int since) {
            this.begunAt = begunAt;
            this.found = found;
            this.since = since;
        }
    }

    /** The one that is added is the how-manieth since the count. */
    private record Turn(Count count, int since) {}

    /** Adds, if there is room; what {@code full} says otherwise. */
    <T> Uni<T> within(Supplier<Uni<T>> add, Supplier<Uni<T>> full) {
        return Uni.createFrom().deferred(() -> {
            Turn turn = begin();
            return isRoom(turn)
                    .chain(room -> room ? Uni.createFrom().item(true) : isRoomNow(turn))
                    .chain(room -> room ? add.get() : full.get())
                    .onTermination()
                    .invoke(this::over);
        });
    }

    private Turn begin() {
        lock.lock();
        try {
            adding++;
            Count count = newest;
            if (count == null || isOlder(count, BELIEVED)) {
                return renewed();
            }
            return new Turn(count, ++count.since);
        } finally {
            lock.unlock();
        }
    }

    private Uni<Boolean> isRoom(Turn turn) {
        return turn.count()
                .found
                .onFailure()
                .invoke(() -> forget(turn.count()))
                .map(found -> found + turn.since() <= most);
    }

    /** By a count that is new enough to refuse by. */
    private Uni<Boolean> isRoomNow(Turn before) {
        Turn turn;
        lock.lock();
        try {
            before.count().since--;
            Count count = newest;
            if (count == before.count() && !isOlder(count, REFUSES)) {
                return Uni.createFrom().item(false);
            }
            turn = count == null || isOlder(count, REFUSES) ? renewed() : new Turn(count, ++count.since);
        } finally {
            lock.unlock();
        }
        return isRoom(turn).invoke(room -> {
            if (!room) {
                notAdded(turn);
            }
        });
    }

    /** Those that are being added may be in it or not. Under the lock. */
    private Turn renewed() {
        Count count = new Count(
                nanos.getAsLong(),
                Uni.createFrom().deferred(() -> rows.get()).memoize().indefinitely(),
                adding);
        newest = count;
        return new Turn(count, adding);
    }

    private boolean isOlder(Count count, Duration age) {
        return nanos.getAsLong() - count.begunAt > age.toNanos();
    }

    private void notAdded(Turn turn) {
        lock.lock();
        try {
            turn.count().since--;
        } finally {
            lock.unlock();
        }
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

    /** Whether it knows nothing that a new one would not. */
    boolean isIdle() {
        lock.lock();
        try {
            Count count = newest;
            return adding == 0 && (count == null || isOlder(count, BELIEVED));
        } finally {
            lock.unlock();
        }
    }
}
