package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * How much may be in the queue. Exact for one server: what it is about to add counts before it is looked what is there, so it is sooner
 * counted twice than not at all. Others that add at the same moment can pass the limit by what they add just then. Thread-safe.
 */
final class QueueBudget {
    private final Function<ProjectId, Uni<ExecutionQueue.Fill>> look;
    private final int projectMax;
    private final int allMax;
    private final Map<ProjectId, Integer> adding = new ConcurrentHashMap<>();
    private final AtomicInteger addingInAll = new AtomicInteger();

    /** @param look counts what is in the queue */
    QueueBudget(Function<ProjectId, Uni<ExecutionQueue.Fill>> look, int projectMax, int allMax) {
        this.look = look;
        this.projectMax = projectMax;
        this.allMax = allMax;
    }

    /** Whether there is room. */
    enum Room {
        FREE,
        PROJECT_FULL,
        FULL
    }

    /** Adds, if there is room; what else {@code full} says. */
    <T> Uni<T> within(ProjectId project, Supplier<Uni<T>> add, Function<Room, T> full) {
        return Uni.createFrom().deferred(() -> {
            int ofProject = adding.merge(project, 1, Integer::sum);
            int ofAll = addingInAll.incrementAndGet();
            return look.apply(project)
                    .map(fill -> room(fill, ofProject, ofAll))
                    .chain(room ->
                            room == Room.FREE ? add.get() : Uni.createFrom().item(full.apply(room)))
                    .onTermination()
                    .invoke(() -> {
                        adding.computeIfPresent(project, (_, count) -> count == 1 ? null : count - 1);
                        addingInAll.decrementAndGet();
                    });
        });
    }

    private Room room(ExecutionQueue.Fill fill, int ofProject, int ofAll) {
        if (fill.ofProject() + ofProject > projectMax) {
            return Room.PROJECT_FULL;
        }
        return fill.ofAll() + ofAll > allMax ? Room.FULL : Room.FREE;
    }
}
