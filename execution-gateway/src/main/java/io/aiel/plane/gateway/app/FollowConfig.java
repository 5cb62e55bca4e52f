package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Following executions' records while these are written. */
@ConfigMapping(prefix = "plane.follow")
public interface FollowConfig {
    /** How many may follow on this server. */
    @WithDefault("4096")
    int max();

    /** How many may follow executions of one project on this server. */
    @WithDefault("2048")
    int perProjectMax();

    /** After so long a follower has to come again. */
    @WithDefault("15M")
    Duration longest();
}
