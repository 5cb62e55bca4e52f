package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ErrorCode;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * One attempt at a queued execution, and whether another follows it.
 *
 * @param number counted from 1
 * @param numberMax as many as the caller asked for
 * @param deferrals how often it went back without having run
 */
record Attempt(int number, int numberMax, Duration backoff, Duration backoffMax, int deferrals) {
    /** What finds no worker so often ends with that. */
    static final int DEFERRALS_MAX = 20;

    private static final double JITTER = 0.1;

    /**
     * When the next attempt may begin.
     *
     * @param ran whether this one may have run
     */
    record Again(boolean ran, Instant readyAt) {}

    /** After one that did not run. */
    Optional<Again> afterNothing(Instant now) {
        return deferrals < DEFERRALS_MAX
                ? Optional.of(new Again(false, now.plus(Entrance.someSeconds())))
                : Optional.empty();
    }

    /** After one whose end is not known, because its server died. */
    Optional<Again> afterLoss(Instant now) {
        return counted(now);
    }

    /**
     * After one that ended so.
     *
     * @param stopping whether the server is stopping, which cancels what it runs
     */
    Optional<Again> after(Answers.End end, Instant now, boolean stopping) {
        return isWorthAnother(end, stopping) ? counted(now) : Optional.empty();
    }

    /** Whether it was the last of several, and failed as those before it. */
    boolean isDeadLetter(Answers.End end) {
        return numberMax > 1 && number >= numberMax && isWorthAnother(end, false);
    }

    /** What the caller has to mend is not mended by trying again, and what was stopped is not begun again. */
    private static boolean isWorthAnother(Answers.End end, boolean stopping) {
        return switch (end.status()) {
            case FAILED -> end.httpStatus() >= 500 || end.httpStatus() == 408 || end.httpStatus() == 429;
            case TIMED_OUT, LOST -> true;
            case KILLED -> !end.code().equals(ErrorCode.OUTPUT_LIMIT.name());
            case CANCELLED -> stopping;
            case SUCCEEDED, DENIED, DEAD_LETTER, QUEUED, RUNNING -> false;
        };
    }

    private Optional<Again> counted(Instant now) {
        if (number >= numberMax) {
            return Optional.empty();
        }
        long wait = Math.min(backoffMax.toMillis(), backoff.toMillis() << Math.min(number - 1, 20));
        // A little apart, so that what failed together does not come back together.
        long later = (long) (wait * JITTER * ThreadLocalRandom.current().nextDouble());
        return Optional.of(new Again(true, now.plusMillis(wait + later)));
    }
}
