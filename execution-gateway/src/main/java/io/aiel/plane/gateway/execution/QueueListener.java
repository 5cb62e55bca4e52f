package io.aiel.plane.gateway.execution;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.pgclient.PgConnection;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Hears when another server has queued something ({@link QueueNotifier}). Keeps one connection of the pool for that, and takes another when it is lost; what is told in
 * between is found by the look at intervals. Thread-safe; {@link #listen} is called at intervals, {@link #close} once.
 */
public final class QueueListener {
    private static final Logger LOG = Logger.getLogger(QueueListener.class);

    private final Pool pool;
    private final String incarnation;
    private final Runnable told;
    private final Duration timeout;
    private final AtomicReference<State> state = new AtomicReference<>(State.IDLE);
    private volatile @Nullable SqlConnection connection;

    private enum State {
        IDLE,
        CONNECTING,
        LISTENING,
        CLOSED
    }

    /**
     * @param incarnation this start of this server, which knows what it tells itself
     * @param told called on the connection's thread
     */
    QueueListener(Pool pool, String incarnation, Runnable told, Duration timeout) {
        this.pool = pool;
        this.incarnation = incarnation;
        this.told = told;
        this.timeout = timeout;
    }

    /** Sees to it that somebody listens. */
    public void listen() {
        if (!state.compareAndSet(State.IDLE, State.CONNECTING)) {
            return;
        }
        Uni<SqlConnection> coming = pool.getConnection().memoize().indefinitely();
        coming.ifNoItem().after(timeout).fail().subscribe().with(this::connected, failure -> {
            // One that comes when it is not waited for any more goes back: the pool would miss it for ever.
            coming.subscribe().with(SqlConnection::closeAndForget, _ -> {});
            failed(failure);
        });
    }

    private void connected(SqlConnection one) {
        connection = one;
        PgConnection postgres = (PgConnection) one.getDelegate();
        postgres.notificationHandler(heard -> {
            if (!incarnation.equals(heard.getPayload())) {
                told.run();
            }
        });
        postgres.closeHandler(_ -> lost());
        one.query("listen " + ExecutionQueue.CHANNEL)
                .execute()
                .ifNoItem()
                .after(timeout)
                .fail()
                .subscribe()
                .with(
                        _ -> {
                            if (!state.compareAndSet(State.CONNECTING, State.LISTENING)) {
                                giveBack(one);
                            }
                        },
                        failure -> {
                            giveBack(one);
                            failed(failure);
                        });
    }

    private void lost() {
        connection = null;
        state.compareAndSet(State.LISTENING, State.IDLE);
        state.compareAndSet(State.CONNECTING, State.IDLE);
    }

    private void failed(Throwable failure) {
        LOG.debugf("nobody listens for queued executions yet: %s", failure.toString());
        state.compareAndSet(State.CONNECTING, State.IDLE);
    }

    /** Gives the connection back to the pool, and is told no more by it. */
    private static void giveBack(SqlConnection one) {
        PgConnection postgres = (PgConnection) one.getDelegate();
        postgres.closeHandler(_ -> {});
        one.query("unlisten *")
                .execute()
                .onTermination()
                .call(one::close)
                .subscribe()
                .with(_ -> {}, _ -> {});
    }

    /** Listens no more. */
    public void close() {
        state.set(State.CLOSED);
        SqlConnection one = connection;
        if (one != null) {
            giveBack(one);
        }
    }
}
