package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.egress.EgressSettings;
import io.aiel.plane.hydrator.protocol.WorkerLimits;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Everything an operator can say about workers.
 *
 * @param dataDir below it live tools, bundles, the snapshot store and the zygotes' state
 * @param python the interpreter; when empty, PLANE_PYTHON or the best one found
 * @param isolation {@code auto} (the strongest this machine has, from the minimum up), {@code namespaces}, {@code restricted} or
 *     {@code none}
 * @param minimum the weakest tier that will do; when empty, the named one, and {@code namespaces} for {@code auto}
 * @param runsc the program of tier {@code gvisor}; when empty, the one on the usual path
 * @param uidBase as root: the first of the user ids that workers get
 * @param bundles the worker bundles that serve from the start; others are installed when they are first needed
 * @param egress what workers with a network may do
 * @param storeBytesMax snapshots kept on this machine's disk; the least recently used ones go first
 */
public record HydratorSettings(
        Path dataDir,
        Optional<Path> python,
        String isolation,
        Optional<String> minimum,
        Optional<Path> runsc,
        int uidBase,
        List<String> bundles,
        Pools pools,
        Times times,
        Recycling recycling,
        WorkerLimits limits,
        EgressSettings egress,
        long storeBytesMax) {
    public HydratorSettings {
        bundles = List.copyOf(bundles);
        Tiers.check(isolation, minimum);
        if (bundles.isEmpty()) {
            throw new IllegalArgumentException("at least one bundle is needed, such as minimal");
        }
        if (uidBase < 1000 || uidBase > 2_000_000_000) {
            throw new IllegalArgumentException("uidBase must be at least 1000");
        }
    }

    /** What holds when nothing is configured. */
    public static HydratorSettings defaults(Path dataDir) {
        return new HydratorSettings(
                dataDir,
                Optional.empty(),
                Tiers.AUTO,
                Optional.empty(),
                Optional.empty(),
                200_000,
                List.of("minimal"),
                Pools.DEFAULT,
                Times.DEFAULT,
                Recycling.DEFAULT,
                WorkerLimits.DEFAULT,
                EgressSettings.DEFAULT,
                2L << 30);
    }

    /** The same with other pools. */
    public HydratorSettings with(Pools other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                minimum,
                runsc,
                uidBase,
                bundles,
                other,
                times,
                recycling,
                limits,
                egress,
                storeBytesMax);
    }

    /** The same with other times. */
    public HydratorSettings with(Times other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                minimum,
                runsc,
                uidBase,
                bundles,
                pools,
                other,
                recycling,
                limits,
                egress,
                storeBytesMax);
    }

    /** The same with other recycling. */
    public HydratorSettings with(Recycling other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                minimum,
                runsc,
                uidBase,
                bundles,
                pools,
                times,
                other,
                limits,
                egress,
                storeBytesMax);
    }

    /** The same with other limits of a worker. */
    public HydratorSettings with(WorkerLimits other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                minimum,
                runsc,
                uidBase,
                bundles,
                pools,
                times,
                recycling,
                other,
                egress,
                storeBytesMax);
    }

    /** The same with other egress. */
    public HydratorSettings with(EgressSettings other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                minimum,
                runsc,
                uidBase,
                bundles,
                pools,
                times,
                recycling,
                limits,
                other,
                storeBytesMax);
    }

    /** The same with another minimum. */
    public HydratorSettings withMinimum(String other) {
        return new HydratorSettings(
                dataDir,
                python,
                isolation,
                Optional.of(other),
                runsc,
                uidBase,
                bundles,
                pools,
                times,
                recycling,
                limits,
                egress,
                storeBytesMax);
    }

    /** The same with another isolation. */
    public HydratorSettings withIsolation(String other) {
        return new HydratorSettings(
                dataDir,
                python,
                other,
                minimum,
                runsc,
                uidBase,
                bundles,
                pools,
                times,
                recycling,
                limits,
                egress,
                storeBytesMax);
    }

    /**
     * How many workers, and who waits.
     *
     * @param workersMax all workers of this machine that are starting, idle or busy
     * @param workersPerProjectMax of one project
     * @param workersPerSnapshotMax of one project's snapshot
     * @param warmMin how many idle workers of a snapshot outlive the idle time
     * @param queueMax how many requests may wait for a worker
     * @param describesMax how many snapshots are described side by side
     */
    public record Pools(
            int workersMax,
            int workersPerProjectMax,
            int workersPerSnapshotMax,
            int warmMin,
            int queueMax,
            int describesMax) {
        static final Pools DEFAULT = new Pools(32, 16, 8, 0, 1024, 2);

        public Pools {
            if (workersMax < 1 || workersPerProjectMax < 1 || workersPerSnapshotMax < 1 || describesMax < 1) {
                throw new IllegalArgumentException("a maximum of workers must be at least 1");
            }
            if (warmMin < 0 || warmMin > workersPerSnapshotMax || queueMax < 0) {
                throw new IllegalArgumentException(
                        "warmMin and queueMax must not be negative nor warmMin above the maximum");
            }
        }
    }

    /**
     * How long.
     *
     * @param idle after which an idle worker is ended
     * @param queueMax a request waits for a worker at most
     * @param startMax from fork to ready
     * @param deadlineGrace between an execution's deadline and the kill
     * @param cancelGrace between a cancellation and the kill
     * @param describeMax a snapshot may take to load when it is validated
     * @param stopMax close waits for workers and zygotes
     * @param installMax the installation of a bundle may take
     */
    public record Times(
            Duration idle,
            Duration queueMax,
            Duration startMax,
            Duration deadlineGrace,
            Duration cancelGrace,
            Duration describeMax,
            Duration stopMax,
            Duration installMax) {
        static final Times DEFAULT = new Times(
                Duration.ofMinutes(10),
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                Duration.ofMillis(50),
                Duration.ofMillis(500),
                Duration.ofSeconds(10),
                Duration.ofSeconds(5),
                Duration.ofMinutes(10));
    }

    /**
     * When a worker or zygote that still works is replaced.
     *
     * @param executionsPerWorkerMax then the worker is ended
     * @param workerRssBytesMax a worker whose largest resident set passed this is ended
     * @param forksPerZygoteMax then the zygote is replaced: all its workers share one memory layout
     * @param zygoteAgeMax likewise
     */
    public record Recycling(
            int executionsPerWorkerMax, long workerRssBytesMax, int forksPerZygoteMax, Duration zygoteAgeMax) {
        static final Recycling DEFAULT = new Recycling(10_000, 192L << 20, 10_000, Duration.ofHours(6));
    }
}
