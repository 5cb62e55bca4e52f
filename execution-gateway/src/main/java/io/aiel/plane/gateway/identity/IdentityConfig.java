package io.aiel.plane.gateway.identity;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** How callers are recognised. */
@ConfigMapping(prefix = "plane.identity")
public interface IdentityConfig {
    /**
     * How long what is known of a token is believed without asking the database again. Bounds how long a token that was
     * revoked through another server goes on to work here; a revocation through this server works at once. At most 2 s.
     */
    @WithDefault("1S")
    Duration tokenCacheTtl();

    /** How many tokens are remembered at most. */
    @WithDefault("10000")
    int tokenCacheMax();

    /** How long a lookup in the database may take before the call is refused with 503. */
    @WithDefault("1500MS")
    Duration lookupTimeout();

    /** How long a token is valid when its maker does not say. */
    @WithDefault("90D")
    Duration tokenLifetime();

    /** The longest validity that a token may be given. */
    @WithDefault("366D")
    Duration tokenLifetimeMax();
}
