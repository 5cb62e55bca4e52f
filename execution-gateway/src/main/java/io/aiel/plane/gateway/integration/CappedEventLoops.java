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
 * Event loops of others, with a limit on what all connections together may receive that are registered here: the client has none that the server
 * could not raise. What goes beyond closes the connection. Ending it ends no loop. Thread-safe.
 */
final class CappedEventLoops extends AbstractEventLoopGroup {
    private final EventLoopGroup loops;
    private final long bytesMax;
    private final AtomicLong received = new AtomicLong();

    CappedEventLoops(EventLoopGroup loops, long bytesMax) {
        this.loops = loops;
        this.bytesMax = bytesMax;
    }

    /** From now on the limit counts anew. */
    void start() {
        received.set(0);
    }

    boolean isExceeded() {
        return received.get() > bytesMax;
    }

    private final class Cap extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (message instanceof ByteBuf bytes && received.addAndGet(bytes.readableBytes()) > bytesMax) {
                ReferenceCountUtil.release(message);
                var _ = context.close();
                return;
            }
            context.fireChannelRead(message);
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
