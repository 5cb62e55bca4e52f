package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** How much may be in the queue: of one project, and in all ({@link QueueTally}). Thread-safe. */
final class QueueBudget {
    /** Beyond so many projects, those that queue nothing any more are forgotten. */
    private static final int PROJECTS = 256;

    private final Function<ProjectId, Uni<Integer>> look;
    private final int projectMax;
    private final LongSupplier nanos;
    private final QueueTally all;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<ProjectId, QueueTally> projects = new HashMap<>();
    private int sweepAt = PROJECTS;

    /**
     * @param look counts what a project has in the queue
     * @param lookAtAll counts what is in the queue
     * @param nanos the time, as of {@link System#nanoTime}
     */
    QueueBudget(
            Function<ProjectId, Uni<Integer>> look,
            Supplier<Uni<Integer>> lookAtAll,
            int projectMax,
            int allMax,
            LongSupplier nanos) {
        this.look = look;
        this.projectMax = projectMax;
        this.nanos = nanos;
        this.all = new QueueTally(lookAtAll, allMax, nanos);
    }

    /** Where there is no room. */
    enum Full {
        PROJECT,
        ALL
    }

    /** Adds, if there is room; what else {@code full} says. */
    <T> Uni<T> within(ProjectId project, Supplier<Uni<T>> add, Function<Full, T> full) {
        return Uni.createFrom().deferred(() -> {
            QueueTally tally = used(project);
            return tally.within(
                            () -> all.within(add, () -> Uni.createFrom().item(full.apply(Full.ALL))),
                            () -> Uni.createFrom().item(full.apply(Full.PROJECT)))
                    .onTermination()
                    .invoke(tally::done);
        });
    }

    /** Its tally, which stays the only one until it is done with. */
    private QueueTally used(ProjectId project) {
        lock.lock();
        try {
            if (projects.size() >= sweepAt) {
                projects.values().removeIf(QueueTally::isIdle);
                sweepAt = Math.max(PROJECTS, projects.size() * 2);
            }
            QueueTally tally =
                    projects.computeIfAbsent(project, one -> new QueueTally(() -> look.apply(one), projectMax, nanos));
            tally.use();
            return tally;
        } finally {
            lock.unlock();
        }
    }
}
