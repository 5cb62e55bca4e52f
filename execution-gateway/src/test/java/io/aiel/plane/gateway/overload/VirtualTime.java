package io.aiel.plane.gateway.overload;

import java.time.Duration;
import java.util.Comparator;
import java.util.PriorityQueue;

/** A clock that only moves when it is told to, and does on its way what is due. For one thread. */
final class VirtualTime implements ExecutionGate.Timer {
    private record Task(long at, long number, Runnable action) {}

    private final PriorityQueue<Task> tasks =
            new PriorityQueue<>(Comparator.comparingLong(Task::at).thenComparingLong(Task::number));
    private long now;
    private long numbers;

    long now() {
        return now;
    }

    @Override
    public void after(Duration delay, Runnable task) {
        tasks.add(new Task(now + delay.toNanos(), numbers++, task));
    }

    void advance(Duration time) {
        long end = now + time.toNanos();
        while (!tasks.isEmpty() && tasks.peek().at() <= end) {
            Task task = tasks.remove();
            now = task.at();
            task.action().run();
        }
        now = end;
    }
}
