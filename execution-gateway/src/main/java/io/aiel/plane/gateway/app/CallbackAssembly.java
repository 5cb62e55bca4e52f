package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.callback.CallbackConfig;
import io.aiel.plane.gateway.callback.CallbackSettings;
import io.aiel.plane.gateway.callback.Callbacks;
import io.aiel.plane.gateway.identity.ProjectSettings;
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

/** Puts callbacks together, and has it looked for what is due. */
@ApplicationScoped
public class CallbackAssembly {
    private static final Logger LOG = Logger.getLogger(CallbackAssembly.class);

    private final ScheduledExecutorService looking = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-callbacks").factory());

    @Produces
    @Singleton
    Callbacks callbacks(
            CallbackConfig config,
            ProjectSettings projectSettings,
            Vertx vertx,
            Pool pool,
            ControlAudit audit,
            Clock clock) {
        return new Callbacks(
                settings(config), projectSettings::callbackHosts, config.caFile(), vertx, pool, audit, clock);
    }

    static CallbackSettings settings(CallbackConfig config) {
        return new CallbackSettings(
                config.hosts().orElse(List.of()),
                Set.copyOf(config.privateHosts().orElse(List.of())),
                config.sealingKey(),
                config.secretOverlap(),
                config.secretsMax(),
                config.inHandMax(),
                config.perHostMax(),
                config.attemptTimeout(),
                config.retryFirst(),
                config.retryMax(),
                config.giveUpAfter(),
                config.envelopeCharactersMax(),
                config.statementTimeout());
    }

    void start(@Observes @Priority(210) StartupEvent event, Callbacks callbacks, CallbackConfig config) {
        long everyMs = config.lookEvery().toMillis();
        var _ = looking.scheduleWithFixedDelay(() -> look(callbacks), everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    /** Waits for nothing. */
    private static void look(Callbacks callbacks) {
        try {
            callbacks.dispatcher().look();
        } catch (RuntimeException e) {
            LOG.warnf(e, "it could not be looked for callbacks; it will be again");
        }
    }

    /** After the executions have ended, and before the pools are closed. */
    void stop(@Observes @Priority(2) ShutdownEvent event, Callbacks callbacks) {
        looking.shutdownNow();
        callbacks.close();
    }
}
