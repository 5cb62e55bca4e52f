package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * First on the socket to a PostgreSQL server that a tenant names: closes it when the server does what no server need do. Where there is TLS,
 * that comes before it.
 *
 * <p>Of one connection; its event loop only.
 */
final class PostgresGuard extends ChannelDuplexHandler {
    /** From leave-taking until the socket is closed, whatever the server does. */
    static final Duration ENDING_LIMIT = Duration.ofSeconds(2);

    private static final long GREETING_BYTES_MAX = 64 * 1024;

    /** SCRAM takes two. */
    private static final int ANSWERS_MAX = 3;

    private static final int TLS_WISH_BYTES = 8;
    private static final int TLS_WISH = 80_877_103;

    private final Limits limits;

    private final IterationsScan scan = new IterationsScan();
    private final PostgresMessages messages;

    /** The server has let the client in: it would not ask anything else otherwise. */
    private boolean in;

    private boolean left;
    private boolean wishesTls;
    private int answers;
    private long received;
    private long unasked;

    /**
     * What a server may do.
     *
     * @param bytes that it sends for one message of the client's
     * @param messages that it sends for one of the client's, rows included
     * @param greeting until when it has to have let the client in
     */
    record Limits(long bytes, int messages, Duration greeting) {}

    PostgresGuard(Limits limits) {
        this.limits = limits;
        this.messages = new PostgresMessages(limits.bytes());
    }

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
            var _ = context.executor().schedule(() -> leave(context), ENDING_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
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
