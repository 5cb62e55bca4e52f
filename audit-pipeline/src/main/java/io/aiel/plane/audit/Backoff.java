package io.aiel.plane.audit;

import java.time.Duration;

/** Growing pauses between attempts, within limits. Not thread-safe: belongs to one loop. */
final class Backoff {
    private final Duration shortest;
    private final Duration longest;
    private Duration next;

    Backoff(Duration shortest, Duration longest) {
        this.shortest = shortest;
        this.longest = longest;
        this.next = shortest;
    }

    /** The pause before the next attempt; each is twice the one before, up to the longest. */
    Duration next() {
        Duration pause = next;
        Duration doubled = next.multipliedBy(2);
        next = doubled.compareTo(longest) > 0 ? longest : doubled;
        return pause;
    }

    /** An attempt succeeded. */
    void reset() {
        next = shortest;
    }
}
