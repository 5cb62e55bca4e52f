package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.ExecutionGate;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Tells the other servers that something was queued: after it was, and not for each. PostgreSQL commits transactions that notify one after
 * another, each with its own flush, so the admission itself does not. What is not told is found when they look at intervals. Thread-safe.
 */
final class QueueNotifier {
    private static final Logger LOG = Logger.getLogger(QueueNotifier.class);
    private static final Duration EVERY = Duration.ofMillis(20);

    /** Nothing has to survive: there is no need to wait for a flush. */
    private static final String NOTIFY = "select pg_notify($1, $2), set_config('synchronous_commit', 'off', true)";

    private final Pool pool;
    private final String incarnation;
    private final ExecutionGate.Timer timer;
    private final Duration timeout;
    private final AtomicBoolean due = new AtomicBoolean();
    private volatile long nextAt = System.nanoTime();

    /** @param incarnation says who tells, so that it need not listen to itself */
    QueueNotifier(Pool pool, String incarnation, ExecutionGate.Timer timer, Duration timeout) {
        this.pool = pool;
        this.incarnation = incarnation;
        this.timer = timer;
        this.timeout = timeout;
    }

    /** Something was queued, and is committed. */
    void queued() {
        if (!due.compareAndSet(false, true)) {
            return;
        }
        long wait = nextAt - System.nanoTime();
        if (wait <= 0) {
            send();
        } else {
            timer.after(Duration.ofNanos(wait), this::send);
        }
    }

    private void send() {
        nextAt = System.nanoTime() + EVERY.toNanos();
        // From here on what is queued is told by the next.
        due.set(false);
        pool.preparedQuery(NOTIFY)
                .execute(Tuple.of(ExecutionQueue.CHANNEL, incarnation))
                .ifNoItem()
                .after(timeout)
                .fail()
                .subscribe()
                .with(_ -> {}, failure -> LOG.debugf("other servers were not told of queued work: %s", failure));
    }
}
