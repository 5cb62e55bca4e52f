package io.aiel.plane.gateway.memory;

import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Clears away what has expired. Readers do not see it any more by then; this is what gives room back. At any time on one server only, and a bounded
 * number of rows at a time. Thread-safe.
 */
public final class MemorySweep {
    /** The advisory lock that the sweeping server holds. */
    public static final long LOCK = 0x706c_616e_6d65_6d77L;

    static final Duration LIMIT = Duration.ofSeconds(30);

    private static final Logger LOG = Logger.getLogger(MemorySweep.class);

    private final MemoryStore store;
    private final int limit;
    private final Clock clock;
    private final AtomicBoolean running = new AtomicBoolean();

    MemorySweep(MemoryStore store, int limit, Clock clock) {
        this.store = store;
        this.limit = limit;
        this.clock = clock;
    }

    /**
     * Begins a sweep and returns at once; does nothing while one of this server is under way.
     *
     * @param again run when there was more than one sweep takes
     */
    public void begin(Runnable again) {
        if (!running.compareAndSet(false, true)) {
            return;
        }
        store.sweep(clock.instant())
                .onTermination()
                .invoke(() -> running.set(false))
                .subscribe()
                .with(
                        swept -> swept.filter(most -> most >= limit).ifPresent(_ -> again.run()),
                        failure -> LOG.warnf("the sweep of memory failed: %s", failure.toString()));
    }
}
