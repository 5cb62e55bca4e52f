package io.aiel.plane.gateway.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.ScheduledFuture;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.net.impl.ConnectionBase;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Closes a connection whose peer is too slow: with the head of a request, with taking an answer, or with doing anything at all.
 * Stands before the HTTP codec, which knows no such limits: a client that sends one byte of a header now and then could hold a
 * connection for days. Belongs to the connection's event loop; all methods are called there.
 */
final class ConnectionWatch extends ChannelDuplexHandler {
    private static final Logger LOG = Logger.getLogger(ConnectionWatch.class);
    private static final AttributeKey<ConnectionWatch> HERE = AttributeKey.valueOf(ConnectionWatch.class.getName());
    private static final long LOOK_EVERY_MS = 1_000;

    /**
     * How long a peer may take.
     *
     * @param head from a request's first byte, or the connection's start, to the end of the headers
     * @param stall without taking a byte of an answer that waits
     * @param idle without a request
     */
    record Limits(Duration head, Duration stall, Duration idle) {
        /** What holds until the configuration was read. */
        static final Limits USUAL = new Limits(Duration.ofSeconds(15), Duration.ofSeconds(30), Duration.ofSeconds(75));
    }

    // Connections are accepted by Netty, which knows no beans.
    private static volatile Limits limits = Limits.USUAL;

    private int open;
    private boolean multiplexed;
    private boolean headBegun = true;
    private long headSince = System.nanoTime();
    private long idleSince = headSince;
    private long stalledSince = headSince;
    private long waitingBytes;
    private long writtenBytes;
    private @Nullable ScheduledFuture<?> looking;

    static void configure(Limits configured) {
        limits = configured;
    }

    /** Adds a watch to an accepted connection. */
    static void watch(Channel accepted) {
        ConnectionWatch watch = new ConnectionWatch();
        accepted.attr(HERE).set(watch);
        accepted.pipeline().addFirst(watch);
    }

    /** The watch of this connection; null where nobody installed one, as in tests without the packaged application. */
    static @Nullable ConnectionWatch of(HttpConnection connection) {
        return connection instanceof ConnectionBase base
                ? base.channel().attr(HERE).get()
                : null;
    }

    /** The head of a request is complete. */
    void requestBegan(HttpVersion version) {
        multiplexed |= version == HttpVersion.HTTP_2;
        headBegun = false;
        open++;
    }

    /** It was answered, or its caller went away. */
    void requestEnded() {
        open--;
        idleSince = System.nanoTime();
    }

    private static long waitingBytes(ChannelHandlerContext connection) {
        @Nullable ChannelOutboundBuffer waiting = connection.channel().unsafe().outboundBuffer();
        return waiting == null ? 0 : waiting.totalPendingWriteBytes();
    }

    @Override
    public void channelActive(ChannelHandlerContext connection) throws Exception {
        looking = connection
                .executor()
                .scheduleWithFixedDelay(() -> look(connection), LOOK_EVERY_MS, LOOK_EVERY_MS, TimeUnit.MILLISECONDS);
        super.channelActive(connection);
    }

    @Override
    public void channelInactive(ChannelHandlerContext connection) throws Exception {
        if (looking != null) {
            looking.cancel(false);
        }
        super.channelInactive(connection);
    }

    @Override
    public void channelRead(ChannelHandlerContext connection, Object bytes) throws Exception {
        // Frames of HTTP/2 may be pings or settings; there the first request and the idle limit are what counts.
        if (open == 0 && !headBegun && !multiplexed) {
            headBegun = true;
            headSince = System.nanoTime();
        }
        super.channelRead(connection, bytes);
    }

    private void look(ChannelHandlerContext connection) {
        long now = System.nanoTime();
        Limits may = limits;
        @Nullable ChannelOutboundBuffer waiting = connection.channel().unsafe().outboundBuffer();
        long bytes = waitingBytes(connection);
        long written = waiting == null ? 0 : waiting.currentProgress();
        if (bytes == 0 || bytes != waitingBytes || written != writtenBytes) {
            stalledSince = now;
        }
        waitingBytes = bytes;
        writtenBytes = written;
        if (bytes > 0) {
            idleSince = now;
            if (now - stalledSince > may.stall().toNanos()) {
                close(connection, "takes no answer");
            }
        } else if (open == 0 && headBegun && now - headSince > may.head().toNanos()) {
            close(connection, "did not finish the head of a request");
        } else if (open == 0 && now - idleSince > may.idle().toNanos()) {
            close(connection, "is idle");
        }
    }

    private static void close(ChannelHandlerContext connection, String why) {
        LOG.debugf(
                "closing the connection of %s, which %s", connection.channel().remoteAddress(), why);
        var _ = connection.close();
    }
}
