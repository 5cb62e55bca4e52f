package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.ReferenceCountUtil;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.impl.transports.JDKTransport;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Sockets to PostgreSQL servers that tenants name, so that such a server can do no harm to others: the client has no limit on what it receives, on how
 * long a server may be silent before it lets anybody in, nor on how often it has a password hashed, which is done on an event loop. Here there are
 * limits, and the loops are nobody else's. What goes beyond closes the connection.
 *
 * <p>Costs nothing before it is used. Thread-safe.
 */
final class PostgresSockets implements AutoCloseable {
    private static final int LOOPS = 2;
    private static final long GREETING_BYTES_MAX = 64 * 1024;

    private final long bytesMax;
    private final Duration greetingLimit;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private @Nullable Vertx vertx;
    private boolean closed;

    /**
     * @param bytesMax what a server may send for one message of the client's
     * @param greetingLimit until when it has to have let the client in
     */
    PostgresSockets(long bytesMax, Duration greetingLimit) {
        this.bytesMax = bytesMax;
        this.greetingLimit = greetingLimit;
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
                channel.pipeline().addFirst(new Guard());
                return channel;
            };
        }
    }

    /** One connection's; where there is TLS, that comes before it. */
    private final class Guard extends ChannelDuplexHandler {
        private final IterationsScan scan = new IterationsScan();
        /** The server has let the client in: it would not ask anything else otherwise. */
        private boolean in;

        private long received;

        @Override
        public void channelActive(ChannelHandlerContext context) {
            var _ = context.executor()
                    .schedule(() -> leaveUnlessIn(context), greetingLimit.toMillis(), TimeUnit.MILLISECONDS);
            context.fireChannelActive();
        }

        private void leaveUnlessIn(ChannelHandlerContext context) {
            if (!in) {
                var _ = context.close();
            }
        }

        @Override
        public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
            received = 0;
            if (message instanceof ByteBuf bytes
                    && bytes.isReadable()
                    && !isGreeting(bytes.getByte(bytes.readerIndex()))) {
                in = true;
            }
            var _ = context.write(message, promise);
        }

        /** A message without a type, such as the first, begins with its length; the answers to what a server asks are of type {@code p}. */
        private static boolean isGreeting(byte first) {
            return first == 0 || first == 'p';
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (message instanceof ByteBuf bytes) {
                received += bytes.readableBytes();
                if (received > (in ? bytesMax : GREETING_BYTES_MAX) || (!in && scan.asksForTooMuch(bytes))) {
                    ReferenceCountUtil.release(message);
                    var _ = context.close();
                    return;
                }
            }
            context.fireChannelRead(message);
        }
    }
}
