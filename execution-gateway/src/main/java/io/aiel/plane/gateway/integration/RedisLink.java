package io.aiel.plane.gateway.integration;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * An open connection to a Redis server: commands go, and as many replies come back in their order. One exchange at a time. Thread-safe; promises are
 * completed on the connection's thread, and never under the lock.
 */
final class RedisLink implements StoreSessions.Link {
    private final NetClient client;
    private final NetSocket socket;
    private final RedisReplies replies;
    private final ReentrantLock lock = new ReentrantLock();

    // Under the lock:
    private @Nullable Exchange exchange;
    private boolean ended;
    private @Nullable Runnable onEnd;

    /** The connection has ended; what was sent before is perhaps done. */
    static final class Lost extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Lost(String message) {
            super(message, null, false, false);
        }
    }

    private record Exchange(int wanted, List<RedisReply> got, Promise<List<RedisReply>> promise) {}

    /**
     * To be called where the socket was connected, before anything else runs there.
     *
     * @param client made for this connection, and closed with it
     * @param replyBytesMax the most that the replies of one exchange may have
     */
    RedisLink(NetClient client, NetSocket socket, int replyBytesMax) {
        this.client = client;
        this.socket = socket;
        this.replies = new RedisReplies(replyBytesMax);
        socket.handler(this::received);
        socket.exceptionHandler(_ -> socket.close());
        socket.closeHandler(_ -> end(new Lost("the connection was closed")));
    }

    /** Sends the commands at once; the replies come in their order. Fails with {@link Lost}, {@link RedisReplies.TooLarge} or {@link RedisReplies.Invalid}. */
    Future<List<RedisReply>> send(List<RedisCommand> commands) {
        Buffer bytes = Buffer.buffer();
        commands.forEach(command -> command.writeTo(bytes));
        Promise<List<RedisReply>> promise = Promise.promise();
        lock.lock();
        try {
            if (ended) {
                return Future.failedFuture(new Lost("the connection had ended"));
            }
            if (exchange != null) {
                throw new IllegalStateException("one exchange at a time");
            }
            exchange = new Exchange(commands.size(), new ArrayList<>(), promise);
            replies.start();
        } finally {
            lock.unlock();
        }
        socket.write(bytes).onFailure(_ -> end(new Lost("the connection was closed while it was written to")));
        return promise.future();
    }

    /** Whether it has ended, so that nothing can be sent any more. */
    boolean isEnded() {
        lock.lock();
        try {
            return ended;
        } finally {
            lock.unlock();
        }
    }

    private void received(Buffer part) {
        @Nullable Exchange complete = null;
        @Nullable RuntimeException wrong = null;
        lock.lock();
        try {
            @Nullable Exchange present = exchange;
            if (present == null) {
                // Nobody asked, so the replies that follow would be taken for those of other commands.
                wrong = new RedisReplies.Invalid("there was a reply to nothing");
            } else {
                present.got().addAll(replies.feed(part));
                if (present.got().size() > present.wanted()) {
                    wrong = new RedisReplies.Invalid("there were more replies than commands");
                } else if (present.got().size() == present.wanted()) {
                    exchange = null;
                    complete = present;
                }
            }
        } catch (RedisReplies.Invalid | RedisReplies.TooLarge e) {
            wrong = e;
        } finally {
            lock.unlock();
        }
        if (wrong != null) {
            end(wrong);
        } else if (complete != null) {
            complete.promise().tryComplete(List.copyOf(complete.got()));
        }
    }

    private void end(RuntimeException why) {
        @Nullable Exchange open;
        @Nullable Runnable told;
        lock.lock();
        try {
            ended = true;
            open = exchange;
            exchange = null;
            told = onEnd;
            onEnd = null;
        } finally {
            lock.unlock();
        }
        if (open != null) {
            open.promise().tryFail(why);
        }
        if (told != null) {
            told.run();
        }
        client.close();
    }

    @Override
    public void onEnd(Runnable told) {
        lock.lock();
        try {
            if (!ended) {
                onEnd = told;
                return;
            }
        } finally {
            lock.unlock();
        }
        told.run();
    }

    @Override
    public void close() {
        end(new Lost("the connection was closed here"));
    }
}
