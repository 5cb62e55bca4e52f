package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetSocket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What PostgreSQL servers that tenants name may do: here servers that say nothing, or too much. */
class PostgresSocketsTest {
    private static final Duration GREETING = Duration.ofMillis(300);
    private static final int BYTES = 100_000;
    private static final int LIMIT_SECONDS = 10;
    private static final Buffer QUERY = Buffer.buffer("Q\0\0\0\4");

    private final Vertx vertx = Vertx.vertx();
    private final PostgresSockets sockets = new PostgresSockets(BYTES, GREETING);

    @AfterEach
    void close() {
        sockets.close();
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    private NetSocket connect(Handler<NetSocket> server) throws Exception {
        NetServer listening = vertx.createNetServer().connectHandler(server);
        int port = await(listening.listen(0, "127.0.0.1").toCompletionStage().toCompletableFuture())
                .actualPort();
        return await(sockets.vertx()
                .createNetClient()
                .connect(port, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture());
    }

    private static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    private static CompletableFuture<Void> closed(NetSocket socket) {
        CompletableFuture<Void> closed = new CompletableFuture<>();
        socket.closeHandler(_ -> closed.complete(null));
        return closed;
    }

    /** Seen to fail: without the timer of the guard, where the socket stays for ever. */
    @Test
    void leavesAServerThatLetsNobodyIn() throws Exception {
        CompletableFuture<Void> left = new CompletableFuture<>();
        NetSocket socket = connect(server -> server.closeHandler(_ -> left.complete(null)));

        socket.write(Buffer.buffer(new byte[8]));
        socket.write("p");

        await(left);
    }

    @Test
    void staysWithAServerThatHasLetItIn() throws Exception {
        NetSocket socket = connect(server -> {});
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        assertThat(closed)
                .failsWithin(GREETING.multipliedBy(3))
                .withThrowableOfType(java.util.concurrent.TimeoutException.class);
    }

    /** Seen to fail: without the limit, where 20 MB arrive. */
    @Test
    void readsNoMoreForOneMessageThanItMay() throws Exception {
        NetSocket socket = connect(server -> server.handler(_ -> server.write(Buffer.buffer(new byte[200 * BYTES]))));
        long[] read = new long[1];
        socket.handler(bytes -> read[0] += bytes.length());
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        await(closed);
        assertThat(read[0]).isLessThanOrEqualTo(BYTES);
    }

    @Test
    void countsAnewForEachMessage() throws Exception {
        int half = BYTES / 2 + 1;
        NetSocket socket = connect(server -> server.handler(_ -> server.write(Buffer.buffer(new byte[half]))));
        CompletableFuture<Void> all = new CompletableFuture<>();
        long[] read = new long[1];
        socket.handler(bytes -> {
            read[0] += bytes.length();
            if (read[0] == 4L * half) {
                all.complete(null);
            } else if (read[0] % half == 0) {
                socket.write(QUERY);
            }
        });

        socket.write(QUERY);

        await(all);
    }

    @Test
    void connectsNowhereOnceItIsClosed() {
        sockets.close();

        assertThatThrownBy(sockets::vertx).isInstanceOf(IllegalStateException.class);
    }
}
