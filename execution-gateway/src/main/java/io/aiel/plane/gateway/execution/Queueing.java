package io.aiel.plane.gateway.execution;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * How a caller wants a queued execution treated.
 *
 * @param priority of two executions of one project that wait, the one with the higher is begun first
 * @param startAt before then it is not begun
 * @param attemptsMax how often it may be begun; 1 asks for no retry
 * @param backoff between the first attempt's end and the second; doubles with each attempt
 * @param backoffMax the longest time between two attempts
 */
public record Queueing(
        int priority, Optional<Instant> startAt, int attemptsMax, Duration backoff, Duration backoffMax) {
    /** What a caller gets who asks for nothing. */
    public static final Queueing PLAIN =
            new Queueing(0, Optional.empty(), 1, Duration.ofSeconds(1), Duration.ofMinutes(5));

    /** The highest priority; the lowest is the same below zero. */
    public static final int PRIORITY_MAX = 9;

    /** The most attempts that can be asked for. */
    public static final int ATTEMPTS_MAX = 20;

    /** The shortest time between two attempts that can be asked for. */
    public static final Duration BACKOFF_MIN = Duration.ofMillis(100);

    /** The longest. */
    public static final Duration BACKOFF_MAX = Duration.ofHours(1);
}
