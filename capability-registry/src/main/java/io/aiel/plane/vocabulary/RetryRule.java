package io.aiel.plane.vocabulary;

import java.time.Duration;

/**
 * How often a queued execution may be begun, and how long it waits in between.
 *
 * @param attemptsMax how often it may be begun, 1 to {@value #ATTEMPTS_MAX}; 1 means no retry
 * @param backoff between the first attempt's end and the second; doubles with each attempt
 * @param backoffMax the longest time between two attempts
 */
public record RetryRule(int attemptsMax, Duration backoff, Duration backoffMax) {
    /** The most attempts that there can be. */
    public static final int ATTEMPTS_MAX = 20;

    /** The shortest time between two attempts. */
    public static final Duration BACKOFF_MIN = Duration.ofMillis(100);

    /** The longest. */
    public static final Duration BACKOFF_MAX = Duration.ofHours(1);

    /** No retry; what else it has is what a rule has that says nothing of it. */
    public static final RetryRule ONCE = new RetryRule(1, Duration.ofSeconds(1), Duration.ofMinutes(5));

    public RetryRule {
        if (attemptsMax < 1
                || attemptsMax > ATTEMPTS_MAX
                || backoff.compareTo(BACKOFF_MIN) < 0
                || backoffMax.compareTo(backoff) < 0
                || backoffMax.compareTo(BACKOFF_MAX) > 0) {
            throw new IllegalArgumentException(
                    "not within limits: " + attemptsMax + " attempts, " + backoff + " to " + backoffMax);
        }
    }
}
