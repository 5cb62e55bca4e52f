package io.aiel.plane.gateway.schedule;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Executions that are begun by cron. */
@ConfigMapping(prefix = "plane.schedules")
public interface ScheduleConfig {
    /** Schedules of one project; 0 means that there are none. */
    @WithDefault("100")
    int projectMax();

    /** The least time between two due times of a schedule. */
    @WithDefault("1M")
    Duration leastInterval();

    /** How old a due time may be at most that is made up for, 24 hours at most. */
    @WithDefault("24H")
    Duration catchUpWindowMax();

    /** How late a run may be begun and still count as in time. */
    @WithDefault("1M")
    Duration grace();

    /** Due times of one schedule that can be looked at. */
    @WithDefault("100")
    int runsKept();

    /** How often it is looked for schedules that are due. */
    @WithDefault("1s")
    Duration lookEvery();

    /** How long one statement or transaction may take. */
    @WithDefault("5S")
    Duration statementTimeout();
}
