package io.aiel.plane.audit;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** Lets one thread wait until another says that there is work. Signals that come while nobody waits are one signal. */
final class Wakeup {
    private final Semaphore signals = new Semaphore(0);

    /** Wakes the waiting thread, or the next that waits. Never blocks. */
    void signal() {
        if (signals.availablePermits() == 0) {
            signals.release();
        }
    }

    /** Waits for a signal, at most this long. */
    void await(Duration atMost) throws InterruptedException {
        if (signals.tryAcquire(atMost.toMillis(), TimeUnit.MILLISECONDS)) {
            signals.drainPermits();
        }
    }
}
