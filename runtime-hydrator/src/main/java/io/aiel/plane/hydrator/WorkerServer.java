package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.egress.EgressChannel;
import io.aiel.plane.hydrator.egress.EgressProxy;
import io.aiel.plane.hydrator.protocol.WorkerEvent;
import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.hydrator.protocol.WorkerProtocol;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * The Unix socket that forked workers connect back to. Who connects must say in its first frame which worker it is and the nonce
 * that this worker alone was given; a nonce works once. Each accepted connection has a platform thread of its own, which becomes
 * the worker's thread: blocking sockets on platform threads measured fastest.
 */
final class WorkerServer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(WorkerServer.class.getName());
    /** The kernel's limit is 107 bytes; some room for how a jail sees the path. */
    private static final int PATH_BYTES_MAX = 100;

    private static final int HELLO_MAX_MS = 5000;
    private static final int STRANGERS_MAX = 64;

    private final RunFolder run;
    private final Path folder;
    private final Path path;
    private final ServerSocketChannel server;
    private final Map<String, Worker> expected = new ConcurrentHashMap<>();
    private final Semaphore strangers = new Semaphore(STRANGERS_MAX);
    private final ScheduledExecutorService timer;
    private final WorkerLimits limits;
    private final EgressProxy proxy;
    private final Map<String, Worker> egressExpected = new ConcurrentHashMap<>();
    private final SecureRandom random = new SecureRandom();

    WorkerServer(Path runDir, ScheduledExecutorService timer, WorkerLimits limits, EgressProxy proxy)
            throws HydratorFailure {
        this.timer = timer;
        this.limits = limits;
        this.proxy = proxy;
        try {
            run = RunFolder.make(runDir.toAbsolutePath(), PATH_BYTES_MAX - "/w.sock".length());
            folder = run.path();
            path = folder.resolve("w.sock");
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(path), 128);
        } catch (IOException e) {
            throw new HydratorFailure("the workers' socket cannot be opened below " + runDir + ": " + e, e);
        }
        Thread.ofPlatform().daemon().name("worker-accept").start(this::accept);
    }

    Path path() {
        return path;
    }

    Path folder() {
        return folder;
    }

    /** A new one-time nonce. */
    String nonce() {
        return HexFormat.of().formatHex(bytes(24));
    }

    /** From now on this worker may connect, once. */
    void expect(Worker worker) {
        expected.put(worker.id(), worker);
        if (worker.profile().network()) {
            egressExpected.put(worker.id(), worker);
        }
    }

    void forget(Worker worker) {
        expected.remove(worker.id(), worker);
        egressExpected.remove(worker.id(), worker);
    }

    private byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    private void accept() {
        while (true) {
            SocketChannel channel;
            try {
                channel = server.accept();
            } catch (IOException e) {
                if (server.isOpen()) {
                    LOG.log(System.Logger.Level.ERROR, "the workers' socket failed", e);
                }
                return;
            }
            if (!strangers.tryAcquire()) {
                LOG.log(System.Logger.Level.WARNING, "too many connections without a hello, one was refused");
                close(channel);
                continue;
            }
            Thread.ofPlatform().daemon().name("worker").start(() -> greet(channel));
        }
    }

    private void greet(SocketChannel channel) {
        boolean stranger = true;
        try (channel) {
            WorkerProtocol protocol = new WorkerProtocol(
                    limits.frameBytesMax(), limits.logBytes(), limits.chunkBytes(), limits.streamBytes());
            ScheduledFuture<?> hurry = timer.schedule(() -> close(channel), HELLO_MAX_MS, TimeUnit.MILLISECONDS);
            ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
            List<WorkerEvent> events = List.of();
            while (events.isEmpty()) {
                if (channel.read(buffer.clear()) < 0) {
                    return;
                }
                events = protocol.receive(buffer.flip());
            }
            hurry.cancel(false);
            strangers.release();
            stranger = false;
            if (events.getFirst() instanceof WorkerEvent.Hello hello) {
                Worker worker = expected.get(hello.worker());
                if (worker != null && same(worker.nonce(), hello.nonce()) && expected.remove(worker.id(), worker)) {
                    Thread.currentThread().setName("worker-" + worker.id());
                    worker.serve(channel, protocol, buffer, events.subList(1, events.size()));
                    return;
                }
                Worker sender = egressExpected.get(hello.worker());
                // A worker sends nothing on its way out before it is told that it is heard, so no byte is lost here.
                if (sender != null
                        && same(sender.egressNonce(), hello.nonce())
                        && egressExpected.remove(sender.id(), sender)) {
                    Thread.currentThread().setName("egress-" + sender.id());
                    sender.serveEgress(new EgressChannel(channel, proxy));
                    return;
                }
            }
            LOG.log(System.Logger.Level.WARNING, "a connection without a valid worker's nonce was refused");
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a worker's connection ended", e);
        } finally {
            if (stranger) {
                strangers.release();
            }
        }
    }

    private static boolean same(String a, String b) {
        return MessageDigest.isEqual(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));
    }

    static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }

    @Override
    public void close() {
        try {
            server.close();
            run.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the workers' socket could not be removed", e);
        }
    }
}
