package io.aiel.plane.gateway.app;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.execution.ExecutionLimits;
import io.aiel.plane.gateway.execution.ExecutionService;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.InputError;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.input.InputCheck;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * Puts executions together, closes at start what an earlier start left, says regularly that this server is alive, and lets
 * running executions end when the server stops.
 */
@ApplicationScoped
public class ExecutionAssembly {
    private static final Logger LOG = Logger.getLogger(ExecutionAssembly.class);

    private final ScheduledExecutorService heart = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-heart").factory());
    private volatile boolean recovered;

    @Produces
    @Singleton
    Executions executions(
            ExecutionConfig config,
            @ConfigProperty(name = "plane.data-dir") Path dataDir,
            CapabilityRegistry registry,
            PolicyEngine policy,
            Hydrator hydrator,
            Outbox outbox,
            AuditCodec codec,
            Pool pool,
            ObjectMapper json,
            MeterRegistry meters,
            OpenTelemetry telemetry) {
        InputCheck inputCheck = new InputCheck(config.schemasMax());
        ExecutionService.EventCheck eventCheck = (capability, event) -> inputCheck.check(capability, event).stream()
                .map(error -> new InputError(error.pointer(), error.message()))
                .toList();
        return Executions.assemble(
                new Executions.Parts(
                        registry,
                        eventCheck,
                        policy,
                        hydrator,
                        outbox,
                        codec,
                        pool,
                        json,
                        Problems::status,
                        meters,
                        telemetry.getTracer("io.aiel.plane"),
                        Clock.systemUTC()),
                new Executions.Settings(
                        config.node().orElseGet(() -> nodeName(dataDir)),
                        config.batchMax(),
                        config.waitingMax(),
                        config.flushesMax(),
                        config.statementTimeout(),
                        config.nodeDeadAfter(),
                        new ExecutionLimits(
                                Math.toIntExact(config.timeoutMax().toMillis()),
                                config.logLinesMax(),
                                config.closeRetriesMax())));
    }

    /** Whether what earlier starts left was closed; the server is not ready before. */
    boolean recovered() {
        return recovered;
    }

    void start(@Observes @Priority(200) StartupEvent event, Executions executions, ExecutionConfig config) {
        heart.execute(() -> recover(executions));
        long beatMs = config.heartbeat().toMillis();
        var _ = heart.scheduleWithFixedDelay(() -> beat(executions), beatMs, beatMs, TimeUnit.MILLISECONDS);
    }

    private void recover(Executions executions) {
        while (!recovered && !heart.isShutdown()) {
            try {
                int closed = executions.recovery().start().await().atMost(Duration.ofSeconds(30));
                LOG.infof("recovery closed %d executions of an earlier start as lost", closed);
                recovered = true;
            } catch (RuntimeException e) {
                LOG.warnf("recovery is not possible yet (%s); trying again", e.toString());
                pause(Duration.ofSeconds(1));
            }
        }
    }

    private void beat(Executions executions) {
        try {
            executions.recovery().beat().await().atMost(Duration.ofSeconds(5));
            executions.recovery().sweep().await().atMost(Duration.ofSeconds(30));
        } catch (RuntimeException e) {
            LOG.warnf("heartbeat or sweep failed (%s); the next one follows", e.toString());
        }
    }

    void refuseNewWork(@Observes ShutdownDelayInitiatedEvent event, Executions executions) {
        executions.live().drain();
    }

    /** Runs before the hydrator and the pools are closed. */
    void stop(@Observes @Priority(1) ShutdownEvent event, Executions executions, ExecutionConfig config) {
        executions.live().drain();
        long deadline = System.nanoTime() + config.drainTimeout().toNanos();
        while (executions.live().size() > 0 && System.nanoTime() < deadline) {
            pause(Duration.ofMillis(20));
        }
        if (executions.live().size() > 0) {
            LOG.warnf(
                    "%d executions did not end in time and are cancelled",
                    executions.live().size());
            executions.live().cancelAll();
            long grace = System.nanoTime() + Duration.ofSeconds(2).toNanos();
            while (executions.live().size() > 0 && System.nanoTime() < grace) {
                pause(Duration.ofMillis(20));
            }
        }
        heart.shutdownNow();
    }

    private static void pause(Duration duration) {
        try {
            TimeUnit.NANOSECONDS.sleep(duration.toNanos());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String nodeName(Path dataDir) {
        Path file = dataDir.resolve("node-name");
        try {
            if (Files.exists(file)) {
                return Files.readString(file).strip();
            }
            Files.createDirectories(dataDir);
            String name = "node-" + UUID.randomUUID();
            Files.writeString(file, name);
            return name;
        } catch (IOException e) {
            throw new UncheckedIOException("the name of this server could not be kept in " + file, e);
        }
    }
}
