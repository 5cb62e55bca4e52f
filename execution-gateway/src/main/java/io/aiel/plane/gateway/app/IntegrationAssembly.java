package io.aiel.plane.gateway.app;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.integration.HttpActionConfig;
import io.aiel.plane.gateway.integration.IntegrationConfig;
import io.aiel.plane.gateway.integration.IntegrationSettings;
import io.aiel.plane.gateway.integration.Integrations;
import io.aiel.plane.gateway.integration.TransitConfig;
import io.aiel.plane.gateway.integration.TransitSettings;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/** Puts integrations together, and has it looked for calls without an end and credentials under old keys. */
@ApplicationScoped
public class IntegrationAssembly {
    private static final Logger LOG = Logger.getLogger(IntegrationAssembly.class);

    private final ScheduledExecutorService looking = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-integrations").factory());

    @Produces
    @Singleton
    Integrations integrations(
            IntegrationConfig config,
            TransitConfig transitConfig,
            HttpActionConfig httpConfig,
            Vertx vertx,
            Pool pool,
            ControlAudit audit,
            ObjectMapper json,
            OpenTelemetry telemetry,
            MeterRegistry meters,
            Clock clock) {
        return new Integrations(
                settings(config, transitConfig),
                httpConfig,
                vertx,
                pool,
                audit,
                json,
                telemetry.getTracer("io.aiel.plane"),
                meters,
                clock);
    }

    static IntegrationSettings settings(IntegrationConfig config, TransitConfig transitConfig) {
        return new IntegrationSettings(
                config.kekFile(),
                TransitSettings.of(transitConfig),
                Set.copyOf(config.privateHosts().orElse(List.of())),
                config.projectMax(),
                config.callsPerMinute(),
                config.atOnceMax(),
                config.allAtOnceMax(),
                config.callTimeout(),
                config.callTimeoutMax(),
                config.resultBytesMax(),
                config.resultsKept(),
                config.callsKept(),
                config.idleMax(),
                config.idleTimeout(),
                config.statementTimeout());
    }

    void start(@Observes @Priority(210) StartupEvent event, Integrations integrations, IntegrationConfig config) {
        long everyMs = config.lookEvery().toMillis();
        var _ = looking.scheduleWithFixedDelay(() -> look(integrations), everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    /** Waits for a small file and nothing else. */
    private static void look(Integrations integrations) {
        try {
            integrations.look();
        } catch (RuntimeException e) {
            LOG.warnf(e, "it could not be looked for calls of outside systems; it will be again");
        }
    }

    /** After the executions have ended, and before the pools are closed. */
    void stop(@Observes @Priority(2) ShutdownEvent event, Integrations integrations) {
        looking.shutdownNow();
        integrations.close();
    }
}
