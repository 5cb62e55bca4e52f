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
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

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
        static Key of(ActionRequest request) {
            return new Key(request.connection(), request.settings(), request.credentials());
        }

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

    /**
     * Does this on a connection that waits for it, or on a new one, and fails with a {@link io.smallrye.mutiny.TimeoutException} when both together take longer. Where
     * nobody waits for the result any more, the connection is closed.
     *
     * @param after told how it went; gives the session back ({@link #give}) or closes it
     */
    <T> Uni<T> use(
            Key key,
            Supplier<Uni<C>> connect,
            Duration limit,
            Function<C, Uni<T>> work,
            BiConsumer<Session<C>, Optional<Throwable>> after) {
        return Uni.createFrom().deferred(() -> {
            AtomicReference<@Nullable Session<C>> held = new AtomicReference<>();
            AtomicBoolean over = new AtomicBoolean();
            return take(key, connect)
                    .chain(session -> {
                        held.set(session);
                        if (over.get()) {
                            session.close();
                            return Uni.createFrom().failure(new io.smallrye.mutiny.TimeoutException());
                        }
                        return work.apply(session.connection());
                    })
                    .ifNoItem()
                    .after(limit)
                    .fail()
                    .onTermination()
                    .invoke((_, failure, cancelled) -> {
                        over.set(true);
                        Session<C> session = held.get();
                        if (session == null) {
                            return;
                        }
                        if (cancelled) {
                            session.close();
                        } else {
                            after.accept(session, Optional.ofNullable(failure));
                        }
                    });
        });
    }

    private Uni<Session<C>> take(Key key, Supplier<Uni<C>> connect) {
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
        // What the connection holds besides its socket is to go, too.
        connection.onEnd(() -> endIdle(session));
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

    /** Where it waits; one that is used ends with its call, or by a later timer. */
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
