package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractEventLoopGroup;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Event loops of others for the connections of one client, with limits that the client does not have: on what they may receive together for a call
 * and between calls, and, until the server is believed, on how often it may have a password hashed, which would hold up all that these loops do.
 * What goes beyond closes the connection. Ending it ends no loop. Thread-safe.
 */
final class CappedEventLoops extends AbstractEventLoopGroup {
    /** For greetings and heartbeats. */
    private static final long BETWEEN_CALLS_BYTES_MAX = 256 * 1024;

    private final EventLoopGroup loops;
    private final long bytesMax;
    private final Runnable lost;
    private final AtomicLong received = new AtomicLong();
    private volatile long most = BETWEEN_CALLS_BYTES_MAX;
    private volatile boolean believed;

    /**
     * @param bytesMax the most for one call
     * @param lost told when a connection is closed, by whichever side
     */
    CappedEventLoops(EventLoopGroup loops, long bytesMax, Runnable lost) {
        this.loops = loops;
        this.bytesMax = bytesMax;
        this.lost = lost;
    }

    /** A call begins, and the limit counts anew. */
    void start() {
        received.set(0);
        most = bytesMax;
    }

    /** No call is under way. */
    void rest() {
        received.set(0);
        most = BETWEEN_CALLS_BYTES_MAX;
    }

    /** The server has shown that it knows the password, or asks for none. */
    void believe() {
        believed = true;
    }

    boolean isExceeded() {
        return received.get() > most;
    }

    private final class Cap extends ChannelInboundHandlerAdapter {
        private final IterationsScan scan = new IterationsScan();
        private boolean left;

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!left
                    && message instanceof ByteBuf bytes
                    && (received.addAndGet(bytes.readableBytes()) > most
                            || (!believed && scan.asksForTooMuch(bytes)))) {
                left = true;
                var _ = context.close();
            }
            if (left) {
                // TLS goes on with what it has decrypted.
                ReferenceCountUtil.release(message);
                return;
            }
            context.fireChannelRead(message);
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            context.fireChannelInactive();
            lost.run();
        }
    }

    @Override
    public EventLoop next() {
        return loops.next();
    }

    @Override
    public ChannelFuture register(Channel channel) {
        channel.pipeline().addFirst(new Cap());
        return loops.register(channel);
    }

    @Override
    public ChannelFuture register(ChannelPromise promise) {
        promise.channel().pipeline().addFirst(new Cap());
        return loops.register(promise);
    }

    @Override
    @Deprecated
    public ChannelFuture register(Channel channel, ChannelPromise promise) {
        channel.pipeline().addFirst(new Cap());
        return loops.register(promise);
    }

    @Override
    public Iterator<EventExecutor> iterator() {
        return loops.iterator();
    }

    @Override
    public boolean isShuttingDown() {
        return loops.isShuttingDown();
    }

    @Override
    public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
        return terminationFuture();
    }

    @Override
    public Future<?> terminationFuture() {
        return loops.terminationFuture();
    }

    @Override
    @Deprecated
    public void shutdown() {}

    @Override
    public boolean isShutdown() {
        return loops.isShutdown();
    }

    @Override
    public boolean isTerminated() {
        return loops.isTerminated();
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
        return loops.awaitTermination(timeout, unit);
    }
}
