package io.aiel.plane.gateway.app;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.callback.Callbacks;
import io.aiel.plane.gateway.execution.ExecutionLimits;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.InputError;
import io.aiel.plane.gateway.execution.QueueSettings;
import io.aiel.plane.gateway.execution.TokenStanding;
import io.aiel.plane.gateway.execution.WorkerApi;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.gateway.identity.ProjectSettings;
import io.aiel.plane.gateway.loops.EventLoops;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.gateway.overload.GateSettings;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.input.InputCheck;
import io.aiel.plane.registry.input.InputProblem;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
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
import java.util.List;
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

    /** Of one project, for each worker that it may have: more would only wait in the hydrator. */
    private static final int PLACES_PER_WORKER = 4;

    private final ScheduledExecutorService heart = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-heart").factory());
    /** Beside the heart, whose beats wait for the database. */
    private final ScheduledExecutorService gateTimer = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-gate").factory());

    private volatile boolean recovered;

    @Produces
    @Singleton
    Executions executions(
            ExecutionConfig config,
            ConcurrencyConfig concurrency,
            QueueConfig queue,
            HydratorConfig workers,
            @ConfigProperty(name = "plane.data-dir") Path dataDir,
            CapabilityRegistry registry,
            PolicyEngine policy,
            Hydrator hydrator,
            WorkerApi workerApi,
            Outbox outbox,
            AuditCodec codec,
            ControlAudit controlAudit,
            ProjectSettings projectSettings,
            TokenStanding standing,
            Callbacks callbacks,
            Vertx vertx,
            Pool pool,
            ObjectMapper json,
            MeterRegistry meters,
            OpenTelemetry telemetry,
            Clock clock) {
        InputCheck check = new InputCheck(config.schemasMax());
        return Executions.assemble(
                new Executions.Parts(
                        new ExecutionGate(settings(concurrency, workers), this::afterwards),
                        registry,
                        (capability, event) -> errors(check.check(capability, event)),
                        (capability, result) -> errors(check.checkOutput(capability, result)),
                        projectSettings::strictOutput,
                        policy,
                        hydrator,
                        workerApi,
                        outbox,
                        codec,
                        controlAudit,
                        standing,
                        callbacks.acceptance(),
                        this::afterwards,
                        new EventLoops(vertx),
                        pool,
                        json,
                        Problems::status,
                        meters,
                        telemetry.getTracer("io.aiel.plane"),
                        clock),
                new Executions.Settings(
                        config.node().orElseGet(() -> nodeName(dataDir)),
                        config.batchMax(),
                        config.waitingMax(),
                        config.flushesMax(),
                        config.statementTimeout(),
                        config.nodeDeadAfter(),
                        config.idempotencyKept(),
                        settings(queue, workers),
                        new ExecutionLimits(
                                Math.toIntExact(config.timeoutMax().toMillis()),
                                config.logLinesMax(),
                                config.closeRetriesMax(),
                                Math.min(workers.workersPerSnapshotMax(), workers.workersPerProjectMax()),
                                workers.streamBytesMax())));
    }

    private static List<InputError> errors(List<InputProblem> problems) {
        return problems.stream()
                .map(problem -> new InputError(problem.pointer(), problem.message()))
                .toList();
    }

    /**
     * What an operator leaves open follows from how many workers there are. However slow the server is, a project that is alone
     * can have as many places as it may have at all: a limit below that would refuse the only caller there is.
     */
    static GateSettings settings(ConcurrencyConfig config, HydratorConfig workers) {
        int ofOneProject = config.projectMax()
                .orElse(Math.min(workers.workersPerProjectMax(), workers.workersMax()) * PLACES_PER_WORKER);
        int enough = Math.max(workers.workersMax() + workers.workersMax() / 2, ExecutionGate.limitFor(ofOneProject));
        int least = config.limitMin().orElse(Math.min(enough, config.limitMax().orElse(enough)));
        int most = config.limitMax().orElse(Math.max(least, workers.workersMax() * 16));
        return new GateSettings(
                Math.clamp(workers.workersMax() * 3L, Math.min(least, most), most),
                least,
                most,
                ofOneProject,
                config.waitingMax(),
                config.waitMax(),
                config.tolerance());
    }

    /** What runs out of the queue leaves workers of its project, and of the server, for those who wait for an answer. */
    static QueueSettings settings(QueueConfig config, HydratorConfig workers) {
        int inHand = config.inHandMax().orElse(Math.max(1, workers.workersMax() * 3 / 4));
        int ofOneSnapshot = Math.min(workers.workersPerSnapshotMax(), workers.workersPerProjectMax());
        int ofOneProject = config.projectInHandMax().orElse(Math.clamp(ofOneSnapshot * 3L / 4, 1, inHand));
        int whileShort = config.projectInHandMax().isPresent() ? ofOneProject : Math.min(ofOneProject * 3, inHand);
        return new QueueSettings(
                inHand,
                ofOneProject,
                config.projectInHandShortMax().orElse(whileShort),
                config.max(),
                config.projectMax(),
                config.inputBytesMax(),
                config.startAheadMax(),
                config.resultsKept(),
                config.keepsInputs(),
                config.inputsKept());
    }

    private void afterwards(Duration delay, Runnable task) {
        if (!gateTimer.isShutdown()) {
            var _ = gateTimer.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    /** Whether what earlier starts left was closed; the server is not ready before. */
    boolean recovered() {
        return recovered;
    }

    void start(
            @Observes @Priority(200) StartupEvent event,
            Executions executions,
            ExecutionConfig config,
            QueueConfig queue) {
        heart.execute(() -> recover(executions));
        long beatMs = config.heartbeat().toMillis();
        var _ = heart.scheduleWithFixedDelay(() -> beat(executions), beatMs, beatMs, TimeUnit.MILLISECONDS);
        long lookMs = queue.lookEvery().toMillis();
        var _ = gateTimer.scheduleWithFixedDelay(() -> look(executions), lookMs, lookMs, TimeUnit.MILLISECONDS);
    }

    /** Waits for nothing. What was left by an earlier start is closed before anything new begins. */
    private void look(Executions executions) {
        if (!recovered) {
            return;
        }
        try {
            executions.listener().listen();
            executions.queue().look();
        } catch (RuntimeException e) {
            LOG.warnf(e, "the queue could not be looked at; it will be again");
        }
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
            executions.cancellation().heed().await().atMost(Duration.ofSeconds(5));
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
        executions.listener().close();
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
        gateTimer.shutdownNow();
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
