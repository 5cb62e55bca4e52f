package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.overload.Shares;
import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * How often and how much at once connections may be used on this server. Each has an allowance of its own, so that none lives off another's: what
 * it may do in ten seconds, which fills again all the time. A project with many connections has a share of what all may do at once. Thread-safe;
 * waits for nothing.
 */
final class CallLimits {
    private static final int REMEMBERED_MAX = 10_000;
    private static final double BURST_OF_A_MINUTE = 1.0 / 6;
    private static final double NANOS_A_MINUTE = Duration.ofMinutes(1).toNanos();

    private final int atOnceMax;
    private final Shares<ProjectId> all;
    private final LongSupplier nanoTime;
    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<String, Allowance> allowances = new LinkedHashMap<>(16, 0.75f, true);

    CallLimits(int atOnceMax, int allAtOnceMax, LongSupplier nanoTime) {
        this.atOnceMax = atOnceMax;
        this.all = new Shares<>(allAtOnceMax);
        this.nanoTime = nanoTime;
    }

    private static final class Allowance {
        private double left;
        private long filledAt;
        private int inHand;

        Allowance(double left, long filledAt) {
            this.left = left;
            this.filledAt = filledAt;
        }
    }

    /** Whether a call may be made. */
    sealed interface Entry {
        /** It may; to be given back with {@link #leave}. */
        record Taken() implements Entry {}

        /**
         * Not now.
         *
         * @param why for the caller
         */
        record Refused(String why, Duration retryAfter) implements Entry {}
    }

    Entry enter(ProjectId project, String connection, int callsPerMinute) {
        double most = Math.max(1, callsPerMinute * BURST_OF_A_MINUTE);
        lock.lock();
        try {
            long now = nanoTime.getAsLong();
            Allowance allowance = allowances.computeIfAbsent(connection, _ -> new Allowance(most, now));
            forgetIdle();
            double filled = (now - allowance.filledAt) / NANOS_A_MINUTE * callsPerMinute;
            allowance.left = Math.min(most, allowance.left + filled);
            allowance.filledAt = now;
            if (allowance.inHand >= atOnceMax) {
                return new Entry.Refused(
                        "The connection has as many calls at once as it may, " + atOnceMax + ".",
                        Duration.ofSeconds(1));
            }
            if (allowance.left < 1) {
                return new Entry.Refused(
                        "The connection may be used " + callsPerMinute + " times a minute.",
                        Duration.ofNanos((long) ((1 - allowance.left) / callsPerMinute * NANOS_A_MINUTE)));
            }
            return switch (all.take(project, 1)) {
                case NOT_FREE ->
                    new Entry.Refused("This server makes as many calls at once as it may.", Duration.ofSeconds(1));
                case HAS_ITS_SHARE ->
                    new Entry.Refused(
                            "The project has as many calls at once as its share of this server allows.",
                            Duration.ofSeconds(1));
                case TAKEN -> {
                    allowance.left -= 1;
                    allowance.inHand++;
                    yield new Entry.Taken();
                }
            };
        } finally {
            lock.unlock();
        }
    }

    void leave(ProjectId project, String connection) {
        lock.lock();
        try {
            all.giveBack(project, 1);
            Allowance allowance = allowances.get(connection);
            if (allowance != null) {
                allowance.inHand--;
            }
        } finally {
            lock.unlock();
        }
    }

    /** The one longest unused goes first, unless it is in use: those are bounded by themselves. */
    private void forgetIdle() {
        if (allowances.size() > REMEMBERED_MAX) {
            var eldest = allowances.entrySet().iterator();
            while (eldest.hasNext()) {
                if (eldest.next().getValue().inHand == 0) {
                    eldest.remove();
                    return;
                }
            }
        }
    }
}
