package io.aiel.plane.gateway.integration;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.impl.transports.JDKTransport;
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.impl.SocketConnectionBase;
import io.vertx.sqlclient.impl.SqlConnectionInternal;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Sockets to PostgreSQL servers that tenants name. The client has no limit on what it receives and makes of it, on how long a server may be silent,
 * nor on how often it has a password hashed, which is done on an event loop. Here there are limits, and the loops are nobody else's. What goes
 * beyond closes the connection.
 *
 * <p>Costs nothing before it is used. Thread-safe.
 */
final class PostgresSockets implements AutoCloseable {
    private static final int LOOPS = 2;

    private final PostgresGuard.Limits limits;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private @Nullable Vertx vertx;
    private boolean closed;

    PostgresSockets(PostgresGuard.Limits limits) {
        this.limits = limits;
    }

    /**
     * To connect with.
     *
     * @throws IllegalStateException when this is closed
     */
    Vertx vertx() {
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("the server is stopping");
            }
            Vertx made = vertx;
            if (made == null) {
                made = new VertxBuilder(new VertxOptions()
                                .setEventLoopPoolSize(LOOPS)
                                .setFileSystemOptions(new FileSystemOptions()
                                        .setClassPathResolvingEnabled(false)
                                        .setFileCachingEnabled(false)))
                        .findTransport(new Transport())
                        .init()
                        .vertx();
                vertx = made;
            }
            return made;
        } finally {
            lock.unlock();
        }
    }

    /** Takes leave of a server, and soon closes the socket whatever it does: the client would wait for its answers first, and for its end. */
    void end(PgConnection connection) {
        // By the guard's context: the client's own handlers would hold it up.
        @Nullable
        ChannelHandlerContext guard = ((SocketConnectionBase) ((SqlConnectionInternal) connection).unwrap())
                .socket()
                .channelHandlerContext()
                .pipeline()
                .context(PostgresGuard.class);
        connection.close();
        lock.lock();
        try {
            if (guard != null && vertx != null && !closed) {
                vertx.setTimer(PostgresGuard.ENDING_LIMIT.toMillis(), _ -> {
                    var _ = guard.close();
                });
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        Vertx made;
        lock.lock();
        try {
            closed = true;
            made = vertx;
        } finally {
            lock.unlock();
        }
        if (made != null) {
            made.close();
        }
    }

    private final class Transport extends JDKTransport {
        @Override
        public ChannelFactory<? extends Channel> channelFactory(boolean domainSocket) {
            return () -> {
                NioSocketChannel channel = new NioSocketChannel();
                channel.pipeline().addFirst(new PostgresGuard(limits));
                return channel;
            };
        }
    }
}
