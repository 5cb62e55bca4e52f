package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How workers run on this server. */
@ConfigMapping(prefix = "plane.hydrator")
public interface HydratorConfig {
    /** Whether this server runs workers at all. */
    @WithDefault("true")
    boolean enabled();

    /** The interpreter; absent means PLANE_PYTHON or the best CPython found. */
    Optional<Path> python();

    /**
     * auto (the strongest that this machine has, from the minimum up; gvisor only when that is the minimum), gvisor, namespaces,
     * restricted or none.
     */
    @WithDefault("auto")
    String isolation();

    /**
     * The weakest tier that will do; below it this server runs nothing. Absent means the tier that is named, and namespaces for
     * auto.
     */
    Optional<String> minimum();

    /** The runsc of isolation gvisor; absent means the one on the usual path. */
    Optional<Path> runsc();

    /** As root: the first of the user ids that workers get. */
    @WithDefault("200000")
    int uidBase();

    /** The worker bundles that serve from the start; others are installed when a project first needs them. */
    @WithDefault("minimal")
    List<String> bundles();

    /** All workers that start, idle or run. */
    @WithDefault("32")
    int workersMax();

    /** Workers of one project. */
    @WithDefault("16")
    int workersPerProjectMax();

    /** Workers of one project's snapshot. */
    @WithDefault("8")
    int workersPerSnapshotMax();

    /** How many idle workers of a snapshot outlive the idle time. */
    @WithDefault("0")
    int warmMin();

    /** How many requests may wait for a worker. */
    @WithDefault("1024")
    int queueMax();

    /** How long a request may wait for a worker. */
    @WithDefault("10S")
    Duration queueWaitMax();

    /** How long an idle worker is kept. */
    @WithDefault("10M")
    Duration idleTimeMax();

    /** From fork to loaded snapshot. */
    @WithDefault("10S")
    Duration startTimeMax();

    /** How long a snapshot may take to load when it is validated. */
    @WithDefault("10S")
    Duration describeTimeMax();

    /** How many snapshots are validated side by side. */
    @WithDefault("2")
    int describesMax();

    /** Between a cancellation and the kill. */
    @WithDefault("500MS")
    Duration cancelGrace();

    /** How long stopping waits for workers. */
    @WithDefault("5S")
    Duration stopTimeMax();

    /** How long the installation of a bundle may take. */
    @WithDefault("10M")
    Duration installTimeMax();

    /** Memory of one worker, MiB; a policy's obligation can lower it. */
    @WithDefault("256")
    int memoryMibMax();

    /** Processes and threads of one worker. */
    @WithDefault("64")
    int pidsMax();

    /** Processor seconds over a worker's life. */
    @WithDefault("3600")
    int cpuSecondsMax();

    /** The largest envelope, bytes. */
    @WithDefault("6291456")
    int resultBytesMax();

    /** The largest chunk of a streamed execution, bytes. */
    @WithDefault("1048576")
    int chunkBytesMax();

    /** All chunks of one streamed execution, bytes. */
    @WithDefault("268435456")
    long streamBytesMax();

    /** All log entries of one execution, bytes. */
    @WithDefault("65536")
    int logBytesMax();

    /** A worker's private temporary file system, MiB. */
    @WithDefault("16")
    int tmpMibMax();

    /** A worker is replaced after so many executions. */
    @WithDefault("10000")
    int executionsPerWorkerMax();

    /** Hydrated snapshots kept on disk, MiB. */
    @WithDefault("2048")
    int storeMibMax();
}
