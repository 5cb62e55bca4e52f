package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.memory.Memory;
import io.aiel.plane.gateway.memory.MemoryConfig;
import io.aiel.plane.gateway.memory.MemorySettings;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/** Puts memory together, and has what has expired cleared away. */
@ApplicationScoped
public class MemoryAssembly {
    private static final Logger LOG = Logger.getLogger(MemoryAssembly.class);
    private static final Duration AGAIN = Duration.ofSeconds(1);

    private final ScheduledExecutorService sweeping = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("plane-memory-sweep").factory());

    @Produces
    @Singleton
    Memory memory(MemoryConfig config, Pool pool, ControlAudit audit, Clock clock) {
        MemorySettings settings = new MemorySettings(
                new MemorySettings.Project(
                        config.threadsMax(), config.messagesMax(), config.itemsMax(), config.projectBytesMax()),
                new MemorySettings.Sizes(
                        config.metaBytesMax(),
                        config.stateBytesMax(),
                        config.checkpointBytesMax(),
                        config.itemBytesMax(),
                        config.answerBytesMax()),
                config.runningMax(),
                config.waitingMax(),
                config.sweepLimit(),
                config.vectorsComparedMax(),
                config.statementTimeout());
        return new Memory(settings, pool, audit, clock);
    }

    void start(@Observes @Priority(210) StartupEvent event, Memory memory, MemoryConfig config) {
        long everyMs = config.sweepInterval().toMillis();
        var _ = sweeping.scheduleWithFixedDelay(() -> sweep(memory), everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    /** Waits for nothing. */
    private void sweep(Memory memory) {
        try {
            memory.sweep().begin(() -> again(memory));
        } catch (RuntimeException e) {
            LOG.warnf(e, "the sweep of memory could not begin; it will be tried again");
        }
    }

    private void again(Memory memory) {
        try {
            var _ = sweeping.schedule(() -> sweep(memory), AGAIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debugf("the server stops; the sweep goes on at the next start");
        }
    }

    void stop(@Observes @Priority(1) ShutdownEvent event) {
        sweeping.shutdownNow();
    }
}
