package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
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
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.impl.SocketConnectionBase;
import io.vertx.sqlclient.impl.SqlConnectionInternal;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
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
    private static final long GREETING_BYTES_MAX = 64 * 1024;

    /** SCRAM takes two. */
    private static final int ANSWERS_MAX = 3;

    private static final int COLUMNS_BYTES_MAX = 256;

    /** The type {@code text}, of which all columns are that are asked for: of others a few bytes may become anything in the client. */
    private static final int TEXT = 25;

    /** Of a column's description behind its name. */
    private static final int COLUMN_BYTES = 18;

    private static final int HEADER_BYTES = 5;
    private static final int TLS_WISH_BYTES = 8;
    private static final int TLS_WISH = 80_877_103;
    private static final Duration ENDING_LIMIT = Duration.ofSeconds(2);

    private final Limits limits;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private @Nullable Vertx vertx;
    private boolean closed;

    /**
     * What a server may do.
     *
     * @param bytes that it sends for one message of the client's
     * @param messages that it sends for one of the client's, rows included
     * @param greeting until when it has to have let the client in
     */
    record Limits(long bytes, int messages, Duration greeting) {}

    PostgresSockets(Limits limits) {
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
                .context(Guard.class);
        connection.close();
        lock.lock();
        try {
            if (guard != null && vertx != null && !closed) {
                vertx.setTimer(ENDING_LIMIT.toMillis(), _ -> {
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
                channel.pipeline().addFirst(new Guard());
                return channel;
            };
        }
    }

    /** One connection's; where there is TLS, that comes before it. */
    private final class Guard extends ChannelDuplexHandler {
        private final IterationsScan scan = new IterationsScan();
        private final Messages messages = new Messages(limits.bytes());
        /** The server has let the client in: it would not ask anything else otherwise. */
        private boolean in;

        private boolean left;
        private boolean wishesTls;
        private int answers;
        private long received;
        private long unasked;

        @Override
        public void channelActive(ChannelHandlerContext context) {
            var _ = context.executor()
                    .schedule(() -> leaveUnlessIn(context), limits.greeting().toMillis(), TimeUnit.MILLISECONDS);
            context.fireChannelActive();
        }

        private void leaveUnlessIn(ChannelHandlerContext context) {
            if (!in) {
                leave(context);
            }
        }

        private void leave(ChannelHandlerContext context) {
            left = true;
            var _ = context.close();
        }

        @Override
        public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
            if (message instanceof ByteBuf bytes && bytes.isReadable()) {
                sent(bytes);
                leaveSoonAfterTheLast(context, bytes);
            }
            if (answers > ANSWERS_MAX) {
                ReferenceCountUtil.release(message);
                promise.tryFailure(new ClosedChannelException());
                leave(context);
                return;
            }
            var _ = context.write(message, promise);
        }

        /** A message without a type, such as the first, begins with its length; the answers to what a server asks are of type {@code p}. */
        private void sent(ByteBuf bytes) {
            byte first = bytes.getByte(bytes.readerIndex());
            if (first == 0) {
                wishesTls = bytes.readableBytes() == TLS_WISH_BYTES
                        && bytes.getInt(bytes.readerIndex() + Integer.BYTES) == TLS_WISH;
            } else if (first == 'p') {
                answers++;
            } else if (first != 'X') {
                in = true;
            }
            if (in) {
                received = 0;
                unasked = 0;
                messages.countAnew();
            }
        }

        /** The client itself would wait for the server's end, having said that it goes. */
        private void leaveSoonAfterTheLast(ChannelHandlerContext context, ByteBuf bytes) {
            if (bytes.getByte(bytes.readerIndex()) == 'X') {
                var _ = context.executor()
                        .schedule(() -> leave(context), ENDING_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            }
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!left && message instanceof ByteBuf bytes && !mayBe(bytes)) {
                leave(context);
            }
            if (left) {
                // TLS goes on with what it has decrypted.
                ReferenceCountUtil.release(message);
                return;
            }
            context.fireChannelRead(message);
        }

        private boolean mayBe(ByteBuf bytes) {
            received += bytes.readableBytes();
            unasked += messages.isAnswering() ? 0 : bytes.readableBytes();
            if (wishesTls) {
                // One byte, which is no message. What comes with it was not said by whoever has the certificate.
                wishesTls = false;
                return bytes.readableBytes() <= 1;
            }
            return received <= (in ? limits.bytes() : GREETING_BYTES_MAX)
                    && unasked <= GREETING_BYTES_MAX
                    && messages.mayBe(bytes)
                    && messages.count() <= limits.messages()
                    && (in || !scan.asksForTooMuch(bytes));
        }
    }

    /** Follows the messages of a server: a type, and a length which counts itself. */
    private static final class Messages {
        private final long bytesMax;
        private int headerBytes;
        private byte type;
        private int length;
        private long left;
        private int count;
        private boolean answering = true;
        private final ByteBuf columns = Unpooled.buffer(COLUMNS_BYTES_MAX);

        Messages(long bytesMax) {
            this.bytesMax = bytesMax;
        }

        void countAnew() {
            count = 0;
            answering = true;
        }

        /** Whether the server has not said yet that it is ready for the next. */
        boolean isAnswering() {
            return answering;
        }

        int count() {
            return count;
        }

        boolean mayBe(ByteBuf bytes) {
            int at = bytes.readerIndex();
            while (at < bytes.writerIndex()) {
                if (left > 0) {
                    int some = (int) Math.min(left, bytes.writerIndex() - at);
                    if (type == 'T') {
                        columns.writeBytes(bytes, at, some);
                    }
                    left -= some;
                    at += some;
                    if (left == 0 && type == 'T' && !isTextOrNothing(columns)) {
                        return false;
                    }
                } else if (!mayBe(bytes.getByte(at++))) {
                    return false;
                }
            }
            return true;
        }

        /** A byte of a header. */
        private boolean mayBe(byte one) {
            if (headerBytes == 0) {
                type = one;
                length = 0;
            } else {
                length = length << Byte.SIZE | Byte.toUnsignedInt(one);
            }
            if (++headerBytes < HEADER_BYTES) {
                return true;
            }
            headerBytes = 0;
            count++;
            answering &= type != 'Z';
            columns.clear();
            left = (long) length - Integer.BYTES;
            return left >= 0 && length <= bytesMax && (type != 'T' || (left > 0 && left <= COLUMNS_BYTES_MAX));
        }

        /** No column, or one of the type text: a count, and of each column its name, table and number, type, size, modifier and format. */
        private static boolean isTextOrNothing(ByteBuf columns) {
            if (columns.readableBytes() < Short.BYTES) {
                return false;
            }
            int count = columns.readUnsignedShort();
            if (count == 0) {
                return !columns.isReadable();
            }
            int name = columns.bytesBefore((byte) 0);
            return count == 1
                    && name >= 0
                    && columns.skipBytes(name + 1).readableBytes() == COLUMN_BYTES
                    && columns.skipBytes(Integer.BYTES + Short.BYTES).readInt() == TEXT;
        }
    }
}
