package io.aiel.plane.gateway.schedule;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The instants at which a cron expression is due in a time zone. Where a clock is put forward, what would have been due in the hour that is not
 * there is due once, at the moment of the change; where it is put back, what comes twice is due the first time only. An expression that is due in
 * each hour follows the clock instead: nothing in the hour that is not there, and twice in the hour that comes twice. Immutable.
 */
record Recurrence(CronExpression cron, ZoneId zone) {
    /** More changes of a clock than come between two due times. */
    private static final int STEPS_MAX = 200;

    /** The first instant after this one; empty when there is none in years. */
    Optional<Instant> after(Instant instant) {
        ZoneRules rules = zone.getRules();
        Instant at = instant.truncatedTo(ChronoUnit.MINUTES).plus(1, ChronoUnit.MINUTES);
        for (int step = 0; step < STEPS_MAX; step++) {
            ZoneOffset offset = rules.getOffset(at);
            Optional<LocalDateTime> local = cron.next(LocalDateTime.ofInstant(at, offset));
            if (local.isEmpty()) {
                return Optional.empty();
            }
            Instant candidate = local.get().toInstant(offset);
            @Nullable ZoneOffsetTransition change = rules.nextTransition(at);
            if (change == null || candidate.isBefore(change.getInstant())) {
                @Nullable ZoneOffsetTransition overlap = cron.everyHour() ? null : rules.getTransition(local.get());
                if (overlap == null
                        || overlap.isGap()
                        || overlap.getOffsetBefore().equals(offset)) {
                    return Optional.of(candidate);
                }
                // The second time round; it was due the first.
                at = overlap.getInstant().plus(overlap.getDuration().abs());
            } else if (change.isGap() && !cron.everyHour() && local.get().isBefore(change.getDateTimeAfter())) {
                return Optional.of(change.getInstant());
            } else {
                at = change.getInstant();
            }
        }
        return Optional.empty();
    }

    /** The shortest time between two of the next due times, so many of them; empty when there are not two. */
    Optional<Duration> shortest(Instant from, int times) {
        Optional<Duration> shortest = Optional.empty();
        Optional<Instant> one = after(from);
        for (int i = 0; i < times && one.isPresent(); i++) {
            Optional<Instant> next = after(one.get());
            if (next.isPresent()) {
                Duration between = Duration.between(one.get(), next.get());
                shortest = Optional.of(
                        shortest.filter(known -> known.compareTo(between) <= 0).orElse(between));
            }
            one = next;
        }
        return shortest;
    }
}
