package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.OptionalInt;

/** How many executions this server takes in hand at once, and how projects share that. */
@ConfigMapping(prefix = "plane.execution.concurrency")
public interface ConcurrencyConfig {
    /**
     * Places that there always are; absent means one and a half times {@code plane.hydrator.workers-max}, and at least so many
     * that a project that is alone can have its {@link #projectMax}.
     */
    OptionalInt limitMin();

    /** Places that there are at most; absent means 16 times {@code plane.hydrator.workers-max}. */
    OptionalInt limitMax();

    /** Places of one project at most, also when it is alone; absent means four for each worker that it may have. */
    OptionalInt projectMax();

    /** Requests that may wait for a place, which only projects below their share do. */
    @WithDefault("256")
    int waitingMax();

    /** How long one may wait for a place. */
    @WithDefault("500ms")
    Duration waitMax();

    /** How many times the usual time the plane's own part of an execution may take before places are taken away. */
    @WithDefault("2.0")
    double tolerance();
}
