package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Connections to databases of one kind that wait for the next call of the same connection: few, and not for long, so that what is not used costs nothing. Thread-safe;
 * nothing foreign is called under the lock.
 *
 * @param <C> what a connection is
 */
final class StoreSessions<C extends StoreSessions.Link> implements AutoCloseable {
    /** Where a name leads to can change, so none is used for ever. */
    private static final Duration LIFE = Duration.ofMinutes(10);

    private final Vertx vertx;
    private final int idleMax;
    private final Duration idleTimeout;
    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock, the one longest unused first:
    private final Map<Session<C>, Key> idle = new LinkedHashMap<>();
    private boolean closed;

    StoreSessions(Vertx vertx, int idleMax, Duration idleTimeout) {
        this.vertx = vertx;
        this.idleMax = idleMax;
        this.idleTimeout = idleTimeout;
    }

    /** An open connection. */
    interface Link {
        /** Has this run when the connection ends, whoever ends it. */
        void onEnd(Runnable ended);

        /** Ends it. What happens then is of no interest. */
        void close();
    }

    /** What a session is for: changed settings or credentials are another one. */
    record Key(String connection, ObjectNode settings, ObjectNode credentials) {
        @Override
        public String toString() {
            return "Key(" + connection + ")";
        }
    }

    /** One connection to a database; used by one call at a time. */
    static final class Session<C extends Link> {
        private final C connection;
        private final long connectedAt = System.nanoTime();

        Session(C connection) {
            this.connection = connection;
        }

        C connection() {
            return connection;
        }

        private boolean isOld() {
            return System.nanoTime() - connectedAt > LIFE.toNanos();
        }

        void close() {
            connection.close();
        }
    }

    /** One that waits for this, or a new one. */
    Uni<Session<C>> take(Key key, Supplier<Uni<C>> connect) {
        return Uni.createFrom()
                .deferred(() -> waiting(key)
                        .map(session -> Uni.createFrom().item(session))
                        .orElseGet(() -> connect.get().map(this::made)));
    }

    private Optional<Session<C>> waiting(Key key) {
        lock.lock();
        try {
            Optional<Session<C>> found = idle.entrySet().stream()
                    .filter(one -> one.getValue().equals(key))
                    .map(Map.Entry::getKey)
                    .reduce((_, last) -> last);
            found.ifPresent(idle::remove);
            return found;
        } finally {
            lock.unlock();
        }
    }

    private Session<C> made(C connection) {
        Session<C> session = new Session<>(connection);
        connection.onEnd(() -> forget(session));
        return session;
    }

    private boolean forget(Session<C> session) {
        lock.lock();
        try {
            return idle.remove(session) != null;
        } finally {
            lock.unlock();
        }
    }

    /** To be used again by the next call of this key; nothing of the last call may be left in it. */
    void give(Key key, Session<C> session) {
        List<Session<C>> superfluous = new ArrayList<>();
        lock.lock();
        try {
            if (closed || session.isOld() || idleMax == 0) {
                superfluous.add(session);
            } else {
                idle.put(session, key);
                while (idle.size() > idleMax) {
                    Session<C> eldest = idle.keySet().iterator().next();
                    idle.remove(eldest);
                    superfluous.add(eldest);
                }
            }
        } finally {
            lock.unlock();
        }
        superfluous.forEach(Session::close);
        if (!superfluous.contains(session)) {
            vertx.setTimer(idleTimeout.toMillis(), _ -> endIdle(session));
        }
    }

    /** If it was used in between, a later timer ends it. */
    private void endIdle(Session<C> session) {
        if (forget(session)) {
            session.close();
        }
    }

    /** How many wait. */
    int idle() {
        lock.lock();
        try {
            return idle.size();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        List<Session<C>> all;
        lock.lock();
        try {
            closed = true;
            all = List.copyOf(idle.keySet());
            idle.clear();
        } finally {
            lock.unlock();
        }
        all.forEach(Session::close);
    }
}
