package io.aiel.plane.gateway.app;

import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.HydratorFailure;
import io.aiel.plane.hydrator.HydratorSettings;
import io.aiel.plane.hydrator.ProcessHydrator;
import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.hydrator.SnapshotSource;
import io.aiel.plane.hydrator.egress.EgressSettings;
import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.vocabulary.Digest;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Instance;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * Makes the hydrator. It gets itself ready in the background (bundle, zygote, self-test); until then it refuses work, and the
 * server is not ready.
 */
class HydratorAssembly {
    private static final Logger LOG = Logger.getLogger(HydratorAssembly.class);

    @Produces
    @Singleton
    @Startup
    Hydrator hydrator(
            HydratorConfig config,
            EgressConfig egress,
            @ConfigProperty(name = "plane.data-dir") Path dataDir,
            Instance<SnapshotSource> source) {
        if (!config.enabled()) {
            return new NoWorkers();
        }
        try {
            return ProcessHydrator.start(settings(config, egress, dataDir), new LateSource(source), LOG::info);
        } catch (HydratorFailure e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }

    void close(@Disposes Hydrator hydrator) {
        hydrator.close();
    }

    static HydratorSettings settings(HydratorConfig config, EgressConfig egress, Path dataDir) {
        int frameBytesMax = Math.max(8 << 20, Math.max(config.resultBytesMax(), config.chunkBytesMax()) + (1 << 20));
        return new HydratorSettings(
                dataDir,
                config.python(),
                config.isolation(),
                config.minimum(),
                config.runsc(),
                config.uidBase(),
                config.bundles(),
                new HydratorSettings.Pools(
                        config.workersMax(),
                        config.workersPerProjectMax(),
                        config.workersPerSnapshotMax(),
                        config.warmMin(),
                        config.queueMax(),
                        config.describesMax()),
                new HydratorSettings.Times(
                        config.idleTimeMax(),
                        config.queueWaitMax(),
                        config.startTimeMax(),
                        Duration.ofMillis(50),
                        config.cancelGrace(),
                        config.describeTimeMax(),
                        config.stopTimeMax(),
                        config.installTimeMax()),
                new HydratorSettings.Recycling(
                        config.executionsPerWorkerMax(),
                        ((long) config.memoryMibMax() << 20) / 4 * 3,
                        10_000,
                        Duration.ofHours(6)),
                new WorkerLimits(
                        (long) config.memoryMibMax() << 20,
                        config.pidsMax(),
                        config.cpuSecondsMax(),
                        64L << 20,
                        256,
                        (long) config.tmpMibMax() << 20,
                        config.resultBytesMax(),
                        config.logBytesMax(),
                        frameBytesMax,
                        config.chunkBytesMax(),
                        config.streamBytesMax()),
                new EgressSettings(
                        Set.copyOf(egress.privateHosts().orElse(List.of())),
                        egress.connectionsMax(),
                        egress.openMax(),
                        (long) egress.sentMibMax() << 20,
                        (long) egress.receivedMibMax() << 20,
                        egress.connectTimeout(),
                        egress.headTimeout(),
                        egress.idleTimeout(),
                        egress.caFile()),
                (long) config.storeMibMax() << 20);
    }

    /** Looked up when first asked: the registry behind it may itself need the hydrator to validate snapshots. */
    private record LateSource(Instance<SnapshotSource> source) implements SnapshotSource {
        @Override
        public CompletionStage<SnapshotFiles> files(Digest snapshot) {
            return source.isResolvable()
                    ? source.get().files(snapshot)
                    : CompletableFuture.failedFuture(new IllegalStateException("this server has no snapshot source"));
        }

        @Override
        public CompletionStage<byte[]> blob(Digest digest) {
            return source.isResolvable()
                    ? source.get().blob(digest)
                    : CompletableFuture.failedFuture(new IllegalStateException("this server has no snapshot source"));
        }
    }
}
