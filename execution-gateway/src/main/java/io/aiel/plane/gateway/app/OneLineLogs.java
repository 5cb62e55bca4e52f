package io.aiel.plane.gateway.app;

import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Enumeration;
import java.util.logging.Handler;
import org.jboss.logmanager.ExtHandler;
import org.jboss.logmanager.LogContext;
import org.jboss.logmanager.Logger;

/**
 * Puts a {@link OneLineFormatter} in front of every handler of this server's log, of which kind and for which category it may be
 * configured. Before anything else at start: nothing that a caller sent can have been logged by then, as no socket is open.
 */
@Singleton
final class OneLineLogs {
    private static final int FIRST = 1;

    void install(@Observes @Priority(FIRST) StartupEvent event) {
        LogContext context = LogContext.getLogContext();
        use(context.getLogger("").getHandlers());
        Enumeration<String> names = context.getLoggerNames();
        while (names.hasMoreElements()) {
            Logger logger = context.getLoggerIfExists(names.nextElement());
            if (logger != null) {
                use(logger.getHandlers());
            }
        }
    }

    /** A handler may only pass on to others: such a one has those behind it. */
    private static void use(Handler[] handlers) {
        for (Handler handler : handlers) {
            OneLineFormatter.use(handler);
            if (handler instanceof ExtHandler passing) {
                use(passing.getHandlers());
            }
        }
    }
}
