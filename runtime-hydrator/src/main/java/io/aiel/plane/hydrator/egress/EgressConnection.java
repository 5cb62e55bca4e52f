package io.aiel.plane.hydrator.egress;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.EgressEvent.How;
import io.aiel.plane.hydrator.EgressEvent.Reason;
import io.aiel.plane.vocabulary.NetworkHost;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One connection on its way out. The order is the point: what is wanted is read and checked, the name is resolved and the address
 * checked, for TLS the name in the hello is checked, that it is allowed is durably recorded, and only then is a socket opened, to the
 * address that was checked.
 *
 * <p>Two virtual threads: one reads the worker and writes the server, the other the other way round.
 */
final class EgressConnection {
    private static final System.Logger LOG = System.getLogger(EgressConnection.class.getName());
    private static final Duration RECORD_LIMIT = Duration.ofSeconds(15);
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final byte[] ESTABLISHED =
            "HTTP/1.1 200 Connection established\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    /** A fatal alert, access_denied (RFC 8446, section 6): better than a connection that just ends. */
    private static final byte[] ALERT = {21, 3, 3, 0, 2, 2, 49};

    private final EgressProxy proxy;
    private final EgressStream client;
    private final EgressGrant grant;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong received = new AtomicLong();
    private final AtomicBoolean over = new AtomicBoolean();
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile @Nullable Socket server;
    /** Set once its permission is durable: from then on its end is recorded. */
    private volatile @Nullable NetworkHost allowed;

    private volatile long allowedAt;
    private volatile long movedAt;
    private volatile int number;
    // Only the first thread.
    private byte[] pending = new byte[0];
    private String wantedHost = "";
    private int wantedPort;
    private boolean established;

    EgressConnection(EgressProxy proxy, EgressStream client, EgressGrant grant) {
        this.proxy = proxy;
        this.client = client;
        this.grant = grant;
    }

    /** The whole life of it, on the first thread. */
    void serve(int ownNumber) {
        number = ownNumber;
        client.onLost(() -> end(How.DONE));
        try {
            if (grant.overLimit(number)) {
                throw new Refusal(
                        Reason.CONNECTION_LIMIT,
                        "an execution may make " + (number - 1) + " connections; later ones are refused unrecorded");
            }
            if (grant.crowded()) {
                throw new Refusal(
                        Reason.CONNECTION_LIMIT,
                        "a worker may have " + proxy.settings().openMax() + " connections open at once");
            }
            RequestHead head = head();
            NetworkHost host = checked(head);
            InetAddress address = proxy.resolve(host);
            byte[] first = head.connect() ? hello(host) : head.forServer();
            if (!durable(new EgressEvent.Allowed(
                    number, host.name(), host.port(), head.connect() ? "https" : "http", address.getHostAddress()))) {
                return;
            }
            movedAt = allowedAt = System.nanoTime();
            allowed = host;
            if (over.get()) {
                // It ended while its permission was written, so nothing was sent; but what was begun on record is ended
                // there.
                var _ = grant.record(
                        new EgressEvent.Closed(number, host.name(), host.port(), How.BROKEN, 0, 0, Duration.ZERO));
                return;
            }
            transfer(head, first, address, host);
        } catch (Refusal refusal) {
            refuse(refusal);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a connection ended before it was known where to", e);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a connection failed", e);
        } finally {
            end(How.BROKEN);
        }
    }

    /** Ends it, for this reason unless it has ended already, and says so. Any thread. */
    void end(How how) {
        if (!over.compareAndSet(false, true)) {
            return;
        }
        Socket socket = server;
        if (socket != null) {
            try {
                socket.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "closing a connection", e);
            }
        }
        NetworkHost host = allowed;
        if (host != null) {
            // Not waited for: it is in line behind its permission and before the end of the execution.
            var _ = grant.record(new EgressEvent.Closed(
                    number,
                    host.name(),
                    host.port(),
                    how,
                    sent.get(),
                    received.get(),
                    Duration.ofNanos(System.nanoTime() - allowedAt)));
        }
        grant.over(this);
        finished.countDown();
        client.lost();
        // A worker that does not read would block whoever ends its execution.
        Thread.startVirtualThread(client::close);
    }

    // ---- before it is allowed

    private RequestHead head() throws Refusal, IOException {
        byte[] bytes = new byte[RequestHead.BYTES_MAX];
        int length = 0;
        long until = System.nanoTime() + proxy.settings().headTimeout().toNanos();
        int end = -1;
        while (end < 0) {
            if (length == bytes.length) {
                throw new Refusal(Reason.TOO_LARGE, "the head of the request is larger than " + length + " bytes");
            }
            length += next(bytes, length, until);
            end = RequestHead.end(bytes, length);
        }
        pending = Arrays.copyOfRange(bytes, end, length);
        try {
            RequestHead head = RequestHead.read(bytes, end);
            wantedHost = head.host();
            wantedPort = head.port();
            return head;
        } catch (RequestHead.Malformed e) {
            throw new Refusal(e.mismatch() ? Reason.HOST_MISMATCH : Reason.MALFORMED, String.valueOf(e.getMessage()));
        }
    }

    private int next(byte[] buffer, int from, long until) throws Refusal, IOException {
        try {
            int count = client.read(buffer, from, buffer.length - from, Duration.ofNanos(until - System.nanoTime()));
            if (count < 0) {
                if (from == 0 && !established) {
                    throw new IOException("closed before a request");
                }
                throw new Refusal(Reason.MALFORMED, "it ended before it said where to");
            }
            return count;
        } catch (SocketTimeoutException e) {
            throw new Refusal(Reason.TIMEOUT, "it did not say in time where to");
        }
    }

    private NetworkHost checked(RequestHead head) throws Refusal {
        NetworkHost host;
        try {
            host = NetworkHost.requested(head.host(), head.port());
        } catch (IllegalArgumentException e) {
            throw new Refusal(Reason.ADDRESS_FOR_NAME, String.valueOf(e.getMessage()));
        }
        if (!grant.allows(host)) {
            throw new Refusal(Reason.NOT_GRANTED, "the policy does not name " + host + " for this execution");
        }
        return host;
    }

    /** The bytes of a hello that names this host. */
    private byte[] hello(NetworkHost host) throws Refusal, IOException {
        client.write(ESTABLISHED, ESTABLISHED.length, proxy.settings().headTimeout());
        established = true;
        byte[] bytes = Arrays.copyOf(pending, Math.max(ClientHello.BYTES_MAX, pending.length));
        int length = pending.length;
        long until = System.nanoTime() + proxy.settings().headTimeout().toNanos();
        while (true) {
            switch (ClientHello.read(bytes, length)) {
                case ClientHello.Reading.Incomplete _ -> {
                    if (length == bytes.length) {
                        throw new Refusal(Reason.TOO_LARGE, "the hello is larger than " + length + " bytes");
                    }
                    length += next(bytes, length, until);
                }
                case ClientHello.Reading.Foreign _ ->
                    throw new Refusal(Reason.NOT_TLS, "what follows CONNECT must be TLS");
                case ClientHello.Reading.Malformed(String why) -> throw new Refusal(Reason.MALFORMED, why);
                case ClientHello.Reading.Hello(var name, boolean encrypted) -> {
                    if (encrypted) {
                        throw new Refusal(Reason.ENCRYPTED_HELLO, "the name of the server must be readable");
                    }
                    String meant = name.orElseThrow(
                            () -> new Refusal(Reason.NO_SERVER_NAME, "the hello must name the server (SNI)"));
                    if (!meant.equalsIgnoreCase(host.name())) {
                        throw new Refusal(
                                Reason.SERVER_NAME_MISMATCH,
                                "the hello is for " + meant + ", the connection for " + host);
                    }
                    pending = new byte[0];
                    return Arrays.copyOf(bytes, length);
                }
            }
        }
    }

    private void refuse(Refusal refusal) {
        boolean _ =
                durable(new EgressEvent.Refused(number, wantedHost, wantedPort, refusal.reason(), refusal.detail()));
        byte[] answer = ALERT;
        if (!established) {
            byte[] text = ("The plane refused this connection ("
                            + refusal.reason().wireName() + "): " + refusal.detail() + "\n")
                    .getBytes(StandardCharsets.UTF_8);
            byte[] head = ("HTTP/1.1 403 Refused by the plane\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            + "Connection: close\r\nContent-Length: " + text.length + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII);
            answer = Arrays.copyOf(head, head.length + text.length);
            System.arraycopy(text, 0, answer, head.length, text.length);
        }
        try {
            client.write(answer, answer.length, POLL);
            client.end();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a refusal was not read", e);
        }
    }

    private boolean durable(EgressEvent event) {
        CompletionStage<Boolean> recorded = grant.record(event);
        try {
            return recorded.toCompletableFuture().get(RECORD_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException | TimeoutException e) {
            LOG.log(System.Logger.Level.WARNING, "a connection could not be recorded and is not made", e);
            return false;
        }
    }

    // ---- once it is allowed

    private void transfer(RequestHead head, byte[] first, InetAddress address, NetworkHost host) {
        Socket socket;
        try {
            socket = proxy.dial(address, host.port());
        } catch (IOException e) {
            if (!established) {
                answerBadGateway();
            }
            end(How.CONNECT_FAILED);
            return;
        }
        server = socket;
        if (over.get()) {
            // The execution ended while the connection was made.
            close(socket);
            return;
        }
        try {
            socket.setSoTimeout(Math.toIntExact(POLL.toMillis()));
            OutputStream out = socket.getOutputStream();
            send(out, first, first.length);
            proxy.execute(() -> receive(socket));
            if (head.connect()) {
                tunnel(out);
                socket.shutdownOutput();
            } else {
                new RequestBody(this::ofClient, (bytes, count) -> send(out, bytes, count)).relay(head);
            }
            awaitEnd();
        } catch (SocketTimeoutException e) {
            end(How.IDLE);
        } catch (IOException e) {
            end(How.BROKEN);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }

    private void answerBadGateway() {
        byte[] answer = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                .getBytes(StandardCharsets.US_ASCII);
        try {
            client.write(answer, answer.length, POLL);
            client.end();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a failure was not read", e);
        }
    }

    private void tunnel(OutputStream out) throws IOException {
        byte[] buffer = new byte[16 * 1024];
        for (int count = ofClient(buffer, 0, buffer.length); count >= 0; count = ofClient(buffer, 0, buffer.length)) {
            send(out, buffer, count);
        }
    }

    /** Bytes of the worker; waits as long as the other direction moves. */
    private int ofClient(byte[] buffer, int from, int countMax) throws IOException {
        if (pending.length > 0) {
            int count = Math.min(pending.length, countMax);
            System.arraycopy(pending, 0, buffer, from, count);
            pending = Arrays.copyOfRange(pending, count, pending.length);
            return count;
        }
        while (true) {
            try {
                return client.read(buffer, from, countMax, POLL);
            } catch (SocketTimeoutException e) {
                checkIdle(e);
            }
        }
    }

    private void checkIdle(SocketTimeoutException e) throws SocketTimeoutException {
        if (over.get()
                || System.nanoTime() - movedAt > proxy.settings().idleTimeout().toNanos()) {
            throw e;
        }
    }

    private void send(OutputStream out, byte[] bytes, int count) throws IOException {
        if (!grant.sends(count)) {
            end(How.BYTES_LIMIT);
            throw new IOException("the execution sent more than it may");
        }
        out.write(bytes, 0, count);
        sent.addAndGet(count);
        movedAt = System.nanoTime();
    }

    /** The second thread: what the server says goes to the worker, until it says no more. */
    private void receive(Socket socket) {
        byte[] buffer = new byte[16 * 1024];
        try (InputStream in = socket.getInputStream()) {
            while (true) {
                int count;
                try {
                    count = in.read(buffer);
                } catch (SocketTimeoutException e) {
                    checkIdle(e);
                    continue;
                }
                if (count < 0) {
                    client.end();
                    end(How.DONE);
                    return;
                }
                if (!grant.receives(count)) {
                    end(How.BYTES_LIMIT);
                    return;
                }
                received.addAndGet(count);
                movedAt = System.nanoTime();
                client.write(buffer, count, proxy.settings().idleTimeout());
                movedAt = System.nanoTime();
            }
        } catch (SocketTimeoutException e) {
            end(How.IDLE);
        } catch (IOException e) {
            end(How.BROKEN);
        }
    }

    /** Until the other thread, the worker or the end of the execution ends it; each of these is bounded. */
    private void awaitEnd() throws IOException {
        try {
            finished.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
