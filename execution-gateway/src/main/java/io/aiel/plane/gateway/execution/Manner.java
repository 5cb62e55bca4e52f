package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import java.util.Optional;

/**
 * How a request is to be taken.
 *
 * @param queued whether it is only put into the queue now, and run when there is room for it
 * @param replayOf the execution whose input it runs again
 * @param scheduled the run of a schedule that it is
 * @param trial whether it is only to be said if it would be queued; a denial is recorded all the same
 * @param once whether nobody sends it again under its key, as whoever waits for the answer does not know one
 */
public record Manner(
        boolean queued, Optional<ExecutionId> replayOf, Optional<ScheduledRun> scheduled, boolean trial, boolean once) {
    /** Run now, and answered with the envelope. */
    public static final Manner NOW = new Manner(false, Optional.empty());

    /** Resolved, checked and decided as if it were to be queued; when it is allowed, nothing follows. */
    public static final Manner TRIAL = new Manner(true, Optional.empty(), Optional.empty(), true, false);

    /** Queued, and answered as soon as that is on record. */
    public static final Manner QUEUED = new Manner(true, Optional.empty());

    /** What is no run of a schedule. */
    public Manner(boolean queued, Optional<ExecutionId> replayOf) {
        this(queued, replayOf, Optional.empty(), false, false);
    }

    /** Queued as a run of a schedule, again and again under the same key until it is. */
    public static Manner scheduled(ScheduledRun run) {
        return new Manner(true, Optional.empty(), Optional.of(run), false, false);
    }

    /** Queued as a run of a schedule that somebody wants now. */
    public static Manner triggered(ScheduledRun run) {
        return new Manner(true, Optional.empty(), Optional.of(run), false, true);
    }
}
