package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.ExecutionGate;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Has a task run after a while, once however often that is asked for meanwhile; a time that is asked for later than another does not replace it,
 * so the task has to look whether it is due. Thread-safe; to be called without locks, as the timer is foreign.
 */
final class Reminder {
    private final ExecutionGate.Timer timer;
    private final Runnable task;
    private final AtomicBoolean set = new AtomicBoolean();

    Reminder(ExecutionGate.Timer timer, Runnable task) {
        this.timer = timer;
        this.task = task;
    }

    /** Runs it after this time at the latest. */
    void after(Duration wait) {
        if (set.compareAndSet(false, true)) {
            timer.after(wait, () -> {
                set.set(false);
                task.run();
            });
        }
    }
}
