package io.aiel.plane.gateway.schedule;

import java.time.Duration;

/**
 * What bounds schedules.
 *
 * @param projectMax of one project
 * @param leastInterval between two due times
 * @param catchUpWindowMax how old a due time may be at most that is made up for
 * @param grace how late a run may be begun and count as in time
 * @param claimedAtOnce schedules that are taken with one look
 * @param requestBytesMax the largest request of a schedule
 * @param runsKept due times of one schedule that can be looked at
 * @param statementTimeout for one statement or transaction
 */
public record ScheduleSettings(
        int projectMax,
        Duration leastInterval,
        Duration catchUpWindowMax,
        Duration grace,
        int claimedAtOnce,
        int requestBytesMax,
        int runsKept,
        Duration statementTimeout) {
    private static final Duration A_DAY = Duration.ofDays(1);

    /** Throws {@link IllegalArgumentException} that says what is wrong. */
    public ScheduleSettings {
        if (projectMax < 0 || claimedAtOnce < 1 || runsKept < 1) {
            throw new IllegalArgumentException("plane.schedules: a limit is below what it can be");
        }
        if (catchUpWindowMax.isNegative() || catchUpWindowMax.compareTo(A_DAY) > 0) {
            throw new IllegalArgumentException("plane.schedules.catch-up-window-max is " + catchUpWindowMax
                    + "; it must be at most PT24H: for longer no two servers could tell that a run was begun already");
        }
    }
}
