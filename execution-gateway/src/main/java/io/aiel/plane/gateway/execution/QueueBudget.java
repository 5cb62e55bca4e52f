package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How much may be in the queue. Exact for one server: what it is about to add counts before it is looked what is there, so it is sooner
 * counted twice than not at all. Others that add at the same moment can pass the limit by what they add just then.
 *
 * <p>Counting costs as much as an admission when much waits, so a count is believed for a moment: as long as it leaves room for all that
 * this server has added since, or when it leaves none at all. Thread-safe.
 */
final class QueueBudget {
    private static final long BELIEVED_NANOS = Duration.ofMillis(200).toNanos();
    private static final int SEEN_MAX = 1_000;

    private final Function<ProjectId, Uni<ExecutionQueue.Fill>> look;
    private final int projectMax;
    private final int allMax;
    private final LongSupplier nanos;
    private final Map<ProjectId, Integer> adding = new ConcurrentHashMap<>();
    private final AtomicInteger addingInAll = new AtomicInteger();
    private final AtomicLong added = new AtomicLong();
    private final Map<ProjectId, Seen> seen = new ConcurrentHashMap<>();

    /**
     * @param look counts what is in the queue
     * @param nanos a clock that never goes back
     */
    QueueBudget(Function<ProjectId, Uni<ExecutionQueue.Fill>> look, int projectMax, int allMax, LongSupplier nanos) {
        this.look = look;
        this.nanos = nanos;
        this.projectMax = projectMax;
        this.allMax = allMax;
    }

    /** Whether there is room. */
    enum Room {
        FREE,
        PROJECT_FULL,
        FULL
    }

    /** @param from what this server had surely added before, of all projects */
    private record Seen(ExecutionQueue.Fill fill, long atNanos, long from) {}

    /** Adds, if there is room; what else {@code full} says. */
    <T> Uni<T> within(ProjectId project, Supplier<Uni<T>> add, Function<Room, T> full) {
        return Uni.createFrom().deferred(() -> {
            int ofProject = adding.merge(project, 1, Integer::sum);
            int ofAll = addingInAll.incrementAndGet();
            long mine = added.incrementAndGet();
            return known(project, mine)
                    .map(room -> Uni.createFrom().item(room))
                    .orElseGet(() -> looked(project).map(fill -> room(fill, ofProject, ofAll)))
                    .chain(room ->
                            room == Room.FREE ? add.get() : Uni.createFrom().item(full.apply(room)))
                    .onTermination()
                    .invoke(() -> {
                        adding.computeIfPresent(project, (_, count) -> count == 1 ? null : count - 1);
                        addingInAll.decrementAndGet();
                    });
        });
    }

    private Uni<ExecutionQueue.Fill> looked(ProjectId project) {
        long now = nanos.getAsLong();
        // In this order: each that counts as added is still being added, or is in the table already.
        long all = added.get();
        long from = all - addingInAll.get();
        return look.apply(project).invoke(fill -> {
            if (seen.size() >= SEEN_MAX) {
                seen.clear();
            }
            seen.put(project, new Seen(fill, now, from));
        });
    }

    /** What the last count says by itself; empty when it is old, or close to a limit. */
    private Optional<Room> known(ProjectId project, long mine) {
        @Nullable Seen last = seen.get(project);
        if (last == null || nanos.getAsLong() - last.atNanos() > BELIEVED_NANOS) {
            return Optional.empty();
        }
        int since = Math.toIntExact(Math.min(Integer.MAX_VALUE / 2, mine - last.from()));
        Room atLeast = room(last.fill(), 1, 1);
        return atLeast != Room.FREE || room(last.fill(), since, since) == Room.FREE
                ? Optional.of(atLeast)
                : Optional.empty();
    }

    private Room room(ExecutionQueue.Fill fill, int ofProject, int ofAll) {
        if (fill.ofProject() + ofProject > projectMax) {
            return Room.PROJECT_FULL;
        }
        return fill.ofAll() + ofAll > allMax ? Room.FULL : Room.FREE;
    }
}
