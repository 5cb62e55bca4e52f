package io.aiel.plane.gateway.execution;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** A clock that says that more than the journal's pause is over whenever it is asked, so that nothing is gathered. Thread-safe. */
final class LongPauses implements LongSupplier {
    private final AtomicLong now = new AtomicLong();

    @Override
    public long getAsLong() {
        return now.addAndGet(2 * ExecutionJournal.PATIENCE.toNanos());
    }
}
