package io.aiel.plane.gateway.execution;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What bounds the queue, and how long what belongs to it is kept.
 *
 * @param inHandMax queued executions that this server has begun at once
 * @param projectInHandMax those of one project
 * @param projectInHandShortMax those of one project while its code is short
 * @param queuedMax executions that may wait or run out of the queue, of all projects
 * @param projectQueuedMax those of one project
 * @param inputBytesMax the largest request that is queued or kept, bytes
 * @param startAheadMax how far ahead a start may be asked for
 * @param resultsKept how long the answer of a queued execution can be fetched
 * @param keepsInputs whether the inputs of all executions are kept, asked or not
 * @param inputsKept how long an input is kept
 */
public record QueueSettings(
        int inHandMax,
        int projectInHandMax,
        int projectInHandShortMax,
        int queuedMax,
        int projectQueuedMax,
        int inputBytesMax,
        Duration startAheadMax,
        Duration resultsKept,
        boolean keepsInputs,
        Duration inputsKept) {
    private static final Duration KEPT_MAX = Duration.ofDays(90);

    /** Throws {@link IllegalArgumentException} that names everything that is wrong. */
    public QueueSettings {
        List<String> wrong = new ArrayList<>();
        if (inHandMax < 1) {
            wrong.add("in-hand-max is " + inHandMax + "; it must be at least 1");
        }
        if (projectInHandMax < 1 || projectInHandMax > inHandMax) {
            wrong.add("project-in-hand-max is " + projectInHandMax + "; it must be within 1 and in-hand-max, which is "
                    + inHandMax);
        }
        if (projectInHandShortMax < projectInHandMax || projectInHandShortMax > inHandMax) {
            wrong.add("project-in-hand-short-max is " + projectInHandShortMax
                    + "; it must be within project-in-hand-max, which is " + projectInHandMax
                    + ", and in-hand-max, which is " + inHandMax);
        }
        if (projectQueuedMax < 1 || projectQueuedMax > queuedMax) {
            wrong.add("project-max is " + projectQueuedMax + "; it must be within 1 and max, which is " + queuedMax);
        }
        if (inputBytesMax < 1) {
            wrong.add("input-bytes-max is " + inputBytesMax + "; it must be at least 1");
        }
        for (Duration kept : List.of(startAheadMax, resultsKept, inputsKept)) {
            if (!kept.isPositive() || kept.compareTo(KEPT_MAX) > 0) {
                wrong.add("start-ahead-max, results-kept and inputs-kept must be above PT0S and at most " + KEPT_MAX
                        + "; one of them is " + kept);
            }
        }
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException("plane.execution.queue: " + String.join("; ", wrong));
        }
    }
}
