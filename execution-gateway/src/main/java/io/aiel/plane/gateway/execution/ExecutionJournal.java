package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.DataErrors;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;

/**
 * Group commit: entries of concurrent requests share a transaction, so that durability costs one commit a flush and not one
 * a request. An entry that a caller waits for is flushed at once while nothing is in flight; those that arrive meanwhile go with the
 * next flush. What concerns queued work alone waits for others, a few milliseconds at most.
 *
 * <p>Thread-safe. Every entry completes exactly once: with true when it took effect, false when it was overtaken (the
 * execution had been closed by another), or the failure of its transaction, after which it may or may not be durable.
 */
final class ExecutionJournal {
    /** From the begin of a flush to that of one in which nothing is urgent. */
    static final Duration PATIENCE = Duration.ofMillis(5);

    /**
     * The same after a flush of {@link #MANY} entries or more: much goes on, and what comes meanwhile costs half as much when it is written together.
     * Then starts of queued work wait too, unless others cannot begin before.
     */
    static final Duration PATIENCE_OF_MANY = Duration.ofMillis(15);

    /** Entries; an execution out of the queue has three: it is queued, begins and ends. */
    static final int MANY = 8;

    private final Function<List<JournalEntry>, Uni<List<Boolean>>> transaction;
    private final int batchMax;
    private final int waitingMax;
    private final int flushesMax;
    private final Reminder wake;
    private final LongSupplier nanos;

    private final ReentrantLock lock = new ReentrantLock();

    // Guarded by lock.
    private final Deque<Pending> waiting = new ArrayDeque<>();
    private int flushes;
    private Urgency urgency = Urgency.NONE;
    private boolean lastWasOfMany;
    private long patientUntil;

    /**
     * @param transaction writes entries in one transaction and says which took effect; must complete within a limit of its own
     * @param batchMax entries in one transaction
     * @param waitingMax entries waiting for one; more are refused with {@link JournalFull}
     * @param flushesMax transactions in flight at once
     * @param nanos the time, as of {@link System#nanoTime}
     */
    ExecutionJournal(
            Function<List<JournalEntry>, Uni<List<Boolean>>> transaction,
            int batchMax,
            int waitingMax,
            int flushesMax,
            ExecutionGate.Timer timer,
            LongSupplier nanos) {
        this.transaction = transaction;
        this.batchMax = batchMax;
        this.waitingMax = waitingMax;
        this.flushesMax = flushesMax;
        this.wake = new Reminder(timer, this::flushIfPossible);
        this.nanos = nanos;
        this.patientUntil = nanos.getAsLong();
    }

    /** Too many entries wait already. */
    static final class JournalFull extends RuntimeException {
        private static final long serialVersionUID = 1L;

        JournalFull(int waitingMax) {
            super("more than " + waitingMax + " entries wait to be written");
        }
    }

    /** Writes the entry; the item says whether it took effect. */
    Uni<Boolean> write(JournalEntry entry) {
        return Uni.createFrom().emitter(emitter -> {
            Pending pending = new Pending(entry, emitter::complete, emitter::fail);
            if (!enqueue(pending)) {
                emitter.fail(new JournalFull(waitingMax));
                return;
            }
            flushIfPossible();
        });
    }

    private boolean enqueue(Pending pending) {
        lock.lock();
        try {
            if (waiting.size() >= waitingMax) {
                return false;
            }
            Urgency its = urgency(pending.entry());
            urgency = its.compareTo(urgency) > 0 ? its : urgency;
            return waiting.add(pending);
        } finally {
            lock.unlock();
        }
    }

    /** How much an entry minds to wait for others; of several the greatest counts. */
    private enum Urgency {
        /** It is put into the queue, or leaves it. */
        NONE,
        /** It is to begin, and holds a place meanwhile. */
        UNLESS_MUCH_GOES_ON,
        /** A caller waits for it, or others for its place. */
        AT_ONCE
    }

    private static Urgency urgency(JournalEntry entry) {
        return switch (entry) {
            case Admission admission when admission.queued().isPresent() -> Urgency.NONE;
            case Closure closure when closure.queueEnd().isPresent() -> Urgency.NONE;
            case Requeue _ -> Urgency.NONE;
            case Start start when !start.holdsUpOthers() -> Urgency.UNLESS_MUCH_GOES_ON;
            case Start _, Admission _, Closure _, Progress _ -> Urgency.AT_ONCE;
        };
    }

    private boolean isPatient() {
        return waiting.size() < batchMax
                && switch (urgency) {
                    case NONE -> true;
                    case UNLESS_MUCH_GOES_ON -> lastWasOfMany;
                    case AT_ONCE -> false;
                };
    }

    private void flushIfPossible() {
        List<Pending> batch = new ArrayList<>();
        long wait;
        lock.lock();
        try {
            if (waiting.isEmpty() || flushes >= flushesMax) {
                return;
            }
            long now = nanos.getAsLong();
            wait = isPatient() ? patientUntil - now : 0;
            if (wait <= 0) {
                flushes++;
                while (!waiting.isEmpty() && batch.size() < batchMax) {
                    batch.add(waiting.remove());
                }
                lastWasOfMany = batch.size() >= MANY;
                patientUntil = now + (lastWasOfMany ? PATIENCE_OF_MANY : PATIENCE).toNanos();
                // What is left has waited for its place already.
                urgency = waiting.isEmpty() ? Urgency.NONE : Urgency.AT_ONCE;
            }
        } finally {
            lock.unlock();
        }
        if (wait > 0) {
            wake.after(Duration.ofNanos(wait));
        } else {
            flush(batch);
        }
    }

    private void flush(List<Pending> batch) {
        List<JournalEntry> entries = batch.stream().map(Pending::entry).toList();
        transaction
                .apply(entries)
                .subscribe()
                .with(results -> succeeded(batch, results), failure -> failed(batch, failure));
    }

    private void succeeded(List<Pending> batch, List<Boolean> results) {
        flushed();
        for (int i = 0; i < batch.size(); i++) {
            batch.get(i).done().accept(results.get(i));
        }
    }

    /**
     * One entry that the database refuses must not fail its neighbours: a batch that the server turned down (as opposed to
     * one whose connection broke) is written again entry by entry.
     */
    private void failed(List<Pending> batch, Throwable failure) {
        if (batch.size() > 1 && DataErrors.is(failure)) {
            writeSingly(batch, 0);
            return;
        }
        flushed();
        batch.forEach(pending -> pending.failed().accept(failure));
    }

    private void writeSingly(List<Pending> batch, int index) {
        if (index == batch.size()) {
            flushed();
            return;
        }
        Pending pending = batch.get(index);
        transaction
                .apply(List.of(pending.entry()))
                .subscribe()
                .with(
                        results -> {
                            pending.done().accept(results.getFirst());
                            writeSingly(batch, index + 1);
                        },
                        failure -> {
                            pending.failed().accept(failure);
                            writeSingly(batch, index + 1);
                        });
    }

    private void flushed() {
        lock.lock();
        try {
            flushes--;
        } finally {
            lock.unlock();
        }
        flushIfPossible();
    }

    private record Pending(
            JournalEntry entry,
            java.util.function.Consumer<Boolean> done,
            java.util.function.Consumer<Throwable> failed) {}
}
