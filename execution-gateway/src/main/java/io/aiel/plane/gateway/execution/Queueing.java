package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.RetryRule;
import java.time.Instant;
import java.util.Optional;

/**
 * How a caller wants a queued execution treated.
 *
 * @param priority of two executions of one project that wait, the one with the higher is begun first
 * @param startAt before then it is not begun
 * @param retry how often it may be begun; when that is not said, the policy says it
 */
public record Queueing(int priority, Optional<Instant> startAt, Optional<RetryRule> retry) {
    /** What a caller gets who asks for nothing. */
    public static final Queueing PLAIN = new Queueing(0, Optional.empty(), Optional.empty());

    /** The highest priority; the lowest is the same below zero. */
    public static final int PRIORITY_MAX = 9;
}
