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
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What PostgreSQL servers that tenants name may do: here servers that say nothing, or too much. */
class PostgresSocketsTest {
    private static final Duration SHORT = Duration.ofMillis(300);
    private static final int BYTES = 100_000;
    private static final int MESSAGES = 500;
    private static final int LIMIT_SECONDS = 20;
    private static final Buffer QUERY = Buffer.buffer("Q\0\0\0\4");

    private final Vertx vertx = Vertx.vertx();
    private PostgresSockets sockets = sockets(Duration.ofMinutes(1));

    private static PostgresSockets sockets(Duration greeting) {
        return new PostgresSockets(new PostgresGuard.Limits(BYTES, MESSAGES, greeting));
    }

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

    /** A message of this type with so many bytes behind its header. */
    private static Buffer message(char type, int bytes) {
        return Buffer.buffer(new byte[] {(byte) type})
                .appendInt(Integer.BYTES + bytes)
                .appendBytes(new byte[bytes]);
    }

    private static Buffer times(int count, Buffer one) {
        Buffer all = Buffer.buffer(count * one.length());
        for (int time = 0; time < count; time++) {
            all.appendBuffer(one);
        }
        return all;
    }

    /** How many bytes come of what this server answers to one query, until it is left. */
    private long readUntilLeft(Buffer answer) throws Exception {
        NetSocket socket = connect(server -> server.handler(_ -> server.write(answer)));
        AtomicLong read = new AtomicLong();
        socket.handler(bytes -> read.addAndGet(bytes.length()));
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        await(closed);
        return read.get();
    }

    /** Seen to fail: without the timer of the guard, where the socket stays for ever. */
    @Test
    void leavesAServerThatLetsNobodyIn() throws Exception {
        sockets = sockets(SHORT);
        CompletableFuture<Void> left = new CompletableFuture<>();
        NetSocket socket = connect(server -> server.closeHandler(_ -> left.complete(null)));

        socket.write(Buffer.buffer(new byte[8]));
        socket.write("p");

        await(left);
    }

    @Test
    void staysWithAServerThatHasLetItIn() throws Exception {
        sockets = sockets(Duration.ofSeconds(2));
        NetSocket socket = connect(server -> {});
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        assertThat(closed)
                .failsWithin(Duration.ofSeconds(3))
                .withThrowableOfType(java.util.concurrent.TimeoutException.class);
    }

    /** Seen to fail: without the limit, where 20 MB arrive. */
    @Test
    void readsNoMoreForOneMessageThanItMay() throws Exception {
        assertThat(readUntilLeft(times(200, message('D', BYTES - 5))))
                .isPositive()
                .isLessThanOrEqualTo(BYTES);
    }

    /** Each becomes more in memory than it is on the way. Seen to fail: without the limit. */
    @Test
    void takesNoMoreMessagesForOneThanItMay() throws Exception {
        Buffer many = times(MESSAGES + 1, message('D', 2));

        assertThat(readUntilLeft(many)).isLessThan(many.length());
    }

    /** Each row would be as wide in memory, however short. Seen to fail: without the limit. */
    @Test
    void leavesAServerThatAnswersWithManyColumns() throws Exception {
        assertThat(readUntilLeft(message('T', 2_000))).isZero();
    }

    private static Buffer columns(int count, int type) {
        Buffer body = Buffer.buffer().appendShort((short) count);
        for (int column = 0; column < count; column++) {
            body.appendString("one\0")
                    .appendInt(0)
                    .appendShort((short) 0)
                    .appendInt(type)
                    .appendShort((short) -1)
                    .appendInt(-1)
                    .appendShort((short) 0);
        }
        return Buffer.buffer("T").appendInt(Integer.BYTES + body.length()).appendBuffer(body);
    }

    /** An array of text says how long it is, a number is as long as it likes. Seen to fail: without the look at the type. */
    @ParameterizedTest
    @CsvSource({"1, 1009", "1, 1700", "1, 114", "2, 25", "1, 0"})
    void leavesAServerThatAnswersWithAnythingButText(int count, int type) throws Exception {
        assertThat(readUntilLeft(columns(count, type))).isZero();
    }

    @Test
    void takesAColumnOfTextAndNone() throws Exception {
        Buffer answer = columns(1, 25).appendBuffer(columns(0, 0)).appendBuffer(message('Z', 1));
        NetSocket socket = connect(server -> server.handler(_ -> server.write(answer)));
        CompletableFuture<Void> all = new CompletableFuture<>();
        AtomicLong read = new AtomicLong();
        socket.handler(bytes -> {
            if (read.addAndGet(bytes.length()) == answer.length()) {
                all.complete(null);
            }
        });

        socket.write(QUERY);

        await(all);
    }

    /** Nobody waits for it. Seen to fail: without the look at whether it was asked. */
    @Test
    void leavesAServerThatSendsMuchUnasked() throws Exception {
        NetSocket socket = connect(server -> server.handler(_ -> {
            server.write(message('Z', 1));
            vertx.setTimer(100, _ -> server.write(message('A', BYTES - 100)));
        }));
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        await(closed);
    }

    /** The client says that it goes, and waits for the server then. Seen to fail: without the guard's own leave. */
    @Test
    void leavesAServerThatDoesNotLetItGo() throws Exception {
        CompletableFuture<Void> left = new CompletableFuture<>();
        NetSocket socket = connect(server -> server.closeHandler(_ -> left.complete(null)));

        socket.write("X\0\0\0\4");

        await(left);
    }

    /** Else it would be kept until its end. Seen to fail: without the look at its length. */
    @ParameterizedTest
    @ValueSource(ints = {BYTES + 1, Integer.MAX_VALUE, Integer.MIN_VALUE, -1, 0, 3})
    void leavesAServerThatAnnouncesWhatCannotBe(int length) throws Exception {
        assertThat(readUntilLeft(Buffer.buffer("D").appendInt(length))).isZero();
    }

    /** Seen to fail: without the look at the length. */
    @Test
    void seesALengthThatComesInPieces() throws Exception {
        NetSocket socket = connect(server -> server.handler(_ -> {
            server.write(message('C', 3).appendString("D").appendByte((byte) 127));
            vertx.setTimer(50, _ -> server.write(Buffer.buffer(new byte[] {0, 0, 0})));
        }));
        CompletableFuture<Void> closed = closed(socket);

        socket.write(QUERY);

        await(closed);
    }

    /** Each has a password hashed. Seen to fail: without the count. */
    @Test
    void answersNoServerThatAsksAgainAndAgain() throws Exception {
        NetSocket socket = connect(server -> {});
        CompletableFuture<Void> closed = closed(socket);

        for (int time = 0; time < 4; time++) {
            socket.write("p");
        }

        await(closed);
    }

    /** What comes before the certificate was shown. Seen to fail: without the look at what comes with the byte. */
    @Test
    void takesNothingThatComesWithTheAnswerToItsWishForTls() throws Exception {
        NetSocket socket = connect(server ->
                server.handler(_ -> server.write(Buffer.buffer("S").appendBuffer(message('Z', 1)))));
        CompletableFuture<Void> closed = closed(socket);

        socket.write(Buffer.buffer().appendInt(8).appendInt(80_877_103));

        await(closed);
    }

    @Test
    void countsAnewForEachMessage() throws Exception {
        int half = BYTES / 2 + 1;
        NetSocket socket = connect(server -> server.handler(_ -> server.write(message('D', half - 5))));
        CompletableFuture<Void> all = new CompletableFuture<>();
        AtomicLong read = new AtomicLong();
        socket.handler(bytes -> {
            long sum = read.addAndGet(bytes.length());
            if (sum == 4L * half) {
                all.complete(null);
            } else if (sum % half == 0) {
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
