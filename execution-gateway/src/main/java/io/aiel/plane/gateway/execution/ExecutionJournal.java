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
 * a request. An entry that arrives while nothing is in flight is flushed at once; those that arrive meanwhile go with the
 * next flush.
 *
 * <p>Thread-safe. Every entry completes exactly once: with true when it took effect, false when it was overtaken (the
 * execution had been closed by another), or the failure of its transaction, after which it may or may not be durable.
 */
final class ExecutionJournal {
    /** From the begin of a flush to that of one in which nothing is urgent. */
    static final Duration PATIENCE = Duration.ofMillis(5);

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
    private boolean urgent;
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
            urgent |= isUrgent(pending.entry());
            return waiting.size() < waitingMax && waiting.add(pending);
        } finally {
            lock.unlock();
        }
    }

    /** What runs holds a place or has a caller who waits. What is only put into the queue, or leaves it, can wait for others. */
    private static boolean isUrgent(JournalEntry entry) {
        return switch (entry) {
            case Admission admission -> admission.queued().isEmpty();
            case Closure closure -> closure.queueEnd().isEmpty();
            case Progress _, Start _ -> true;
            case Requeue _ -> false;
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
            wait = urgent || waiting.size() >= batchMax ? 0 : patientUntil - now;
            if (wait <= 0) {
                flushes++;
                patientUntil = now + PATIENCE.toNanos();
                while (!waiting.isEmpty() && batch.size() < batchMax) {
                    batch.add(waiting.remove());
                }
                // What is left has waited for its place already.
                urgent = !waiting.isEmpty();
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
