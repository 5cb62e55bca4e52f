package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.OptionalInt;

/** Executions that are queued and not waited for, and inputs that are kept. */
@ConfigMapping(prefix = "plane.execution.queue")
public interface QueueConfig {
    /** Executions in the queue, begun ones included, of all projects. */
    @WithDefault("10000")
    int max();

    /** Executions of one project in the queue. */
    @WithDefault("1000")
    int projectMax();

    /** Queued executions that this server has begun at once; absent means three quarters of {@code plane.hydrator.workers-max}. */
    OptionalInt inHandMax();

    /** Those of one project; absent means three quarters of the workers that it may have for one snapshot. */
    OptionalInt projectInHandMax();

    /**
     * Those of one project while its code is short, at most 0.1 s: putting the start on record takes longer than most such code, and needs no worker. Absent means three
     * times {@link #projectInHandMax} where that is absent too, and else the same.
     */
    OptionalInt projectInHandShortMax();

    /** The largest request that is queued or kept, bytes. */
    @WithDefault("262144")
    int inputBytesMax();

    /** How far ahead {@code meta.start_at} may be. */
    @WithDefault("168H")
    Duration startAheadMax();

    /** How often the queue is looked at when nobody says that something is in it. */
    @WithDefault("1s")
    Duration lookEvery();

    /** How long the answer of a queued execution can be fetched. */
    @WithDefault("24H")
    Duration resultsKept();

    /** Whether the inputs of all executions are kept, and not only where {@code meta.keep_input} asks for it. */
    @WithDefault("false")
    boolean keepsInputs();

    /** How long an input is kept, so that it can be run again. */
    @WithDefault("168H")
    Duration inputsKept();
}
