package io.aiel.plane.hydrator;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Jobs that wait for a worker of one pool. Those that callers wait for and those out of the queue take turns, each kind in the order in which it
 * came: so a bunch of queued executions does not hold up a caller, nor do callers starve the queue.
 *
 * <p>Not thread-safe: it belongs to a pool, whose fields are under one lock.
 */
final class JobLine {
    private final Deque<Job> awaited = new ArrayDeque<>();
    private final Deque<Job> queued = new ArrayDeque<>();
    private boolean queuedFirst;

    private Deque<Job> kindOf(Job job) {
        return job.request().queued() ? queued : awaited;
    }

    void add(Job job) {
        kindOf(job).addLast(job);
    }

    int size() {
        return awaited.size() + queued.size();
    }

    boolean isEmpty() {
        return size() == 0;
    }

    /** Takes out whose turn it is; null when nobody waits. */
    @Nullable
    Job poll() {
        boolean fromQueue = awaited.isEmpty() || (queuedFirst && !queued.isEmpty());
        queuedFirst = !fromQueue;
        return (fromQueue ? queued : awaited).pollFirst();
    }

    /** When the one that has waited longest was made, as of {@link System#nanoTime}. To be asked of a line that is not empty. */
    long oldest() {
        if (awaited.isEmpty() || queued.isEmpty()) {
            return (awaited.isEmpty() ? queued : awaited).getFirst().created();
        }
        long first = awaited.getFirst().created();
        long other = queued.getFirst().created();
        return other - first < 0 ? other : first;
    }

    boolean contains(Job job) {
        return kindOf(job).contains(job);
    }

    /** Whether it waited. */
    boolean remove(Job job) {
        return kindOf(job).remove(job);
    }

    /** Takes out all. */
    List<Job> drain() {
        List<Job> all = new ArrayList<>(awaited);
        all.addAll(queued);
        awaited.clear();
        queued.clear();
        return all;
    }
}
