package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/** How the policy engine runs. */
@ConfigMapping(prefix = "plane.policy")
public interface PolicyConfig {
    /** How many decisions may be computed at the same time; absent means one per processor. */
    OptionalInt instances();

    /** How long a decision waits for a free instance before it is an undecided denial. */
    @WithDefault("1S")
    Duration checkoutTimeout();

    /** How long one evaluation may take; a slower one is stopped and is an undecided denial. */
    @WithDefault("1S")
    Duration evaluationBudget();

    /** Arguments longer than this, in bytes of UTF-8, reach the policy as their digest alone. */
    @WithDefault("65536")
    int argumentsBytesMax();

    /** The most memory that one instance may take, in MiB. */
    @WithDefault("32")
    int memoryMibMax();

    /** A JSON file with the policy's data document (grants and limits); absent means the empty document. */
    Optional<Path> dataFile();
}
