package io.aiel.plane.gateway.app;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.TokenStanding;
import io.aiel.plane.gateway.schedule.ScheduleConfig;
import io.aiel.plane.gateway.schedule.ScheduleSettings;
import io.aiel.plane.gateway.schedule.Schedules;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/** Puts schedules together, and has it looked for what is due. */
@ApplicationScoped
public class ScheduleAssembly {
    private static final Logger LOG = Logger.getLogger(ScheduleAssembly.class);
    private static final int CLAIMED_AT_ONCE = 20;

    private final ScheduledExecutorService looking = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-schedules").factory());

    @Produces
    @Singleton
    Schedules schedules(
            ScheduleConfig config,
            QueueConfig queue,
            Executions executions,
            TokenStanding standing,
            Pool pool,
            ControlAudit audit,
            ObjectMapper json,
            Clock clock) {
        ScheduleSettings settings = new ScheduleSettings(
                config.projectMax(),
                config.leastInterval(),
                config.catchUpWindowMax(),
                config.grace(),
                CLAIMED_AT_ONCE,
                queue.inputBytesMax(),
                config.runsKept(),
                config.statementTimeout());
        return new Schedules(settings, executions, standing, pool, audit, json, clock);
    }

    void start(@Observes @Priority(210) StartupEvent event, Schedules schedules, ScheduleConfig config) {
        long everyMs = config.lookEvery().toMillis();
        var _ = looking.scheduleWithFixedDelay(() -> look(schedules), everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    /** Waits for nothing. */
    private static void look(Schedules schedules) {
        try {
            schedules.runner().look();
        } catch (RuntimeException e) {
            LOG.warnf(e, "it could not be looked for schedules; it will be again");
        }
    }

    void stop(@Observes @Priority(1) ShutdownEvent event) {
        looking.shutdownNow();
    }
}
