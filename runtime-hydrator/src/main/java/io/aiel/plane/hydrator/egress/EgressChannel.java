package io.aiel.plane.hydrator.egress;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The connections of one worker, over the one Unix socket that it was born with. Frames are type (1 byte), connection (4), number (4),
 * and for data as many bytes; big-endian. Each side may have {@value #WINDOW} bytes of a connection unread at the other.
 *
 * <p>The thread of the socket is in {@link #serve}; each connection has threads of its own. What comes is believed in nothing: a frame
 * that breaks the rules ends the channel, and with it every connection of the worker.
 */
public final class EgressChannel {
    /** Bytes of one connection and direction that may be under way. */
    static final int WINDOW = 256 * 1024;

    /** The most bytes of data in one frame. */
    static final int DATA_MAX = 64 * 1024;

    private static final int HEAD = 9;
    private static final byte OPEN = 1;
    private static final byte DATA = 2;
    private static final byte END = 3;
    private static final byte RESET = 4;
    private static final byte CREDIT = 5;
    private static final byte READY = 6;

    /** The number of an {@link #OPEN}: which way the connection is to go. */
    private static final int TO_PROXY = 0;

    private static final int TO_PLANE = 1;

    private static final System.Logger LOG = System.getLogger(EgressChannel.class.getName());

    private final SocketChannel socket;
    private final EgressProxy proxy;
    private final ReentrantLock writing = new ReentrantLock();
    private final Map<Integer, EgressStream> streams = new ConcurrentHashMap<>();
    private volatile @Nullable EgressGrant grant;
    private volatile boolean open = true;
    private int lastStream;

    public EgressChannel(SocketChannel socket, EgressProxy proxy) {
        this.socket = socket;
        this.proxy = proxy;
    }

    /** From now on new connections are this execution's; null: there is none, and they are refused. */
    public void serves(@Nullable EgressGrant now) {
        grant = now;
    }

    /**
     * After the end of an execution: tells the worker that its connections are over, and waits until it has taken all that was on the way to
     * it. False when it does not within the limit, or the channel has ended: it is closed then, and with it everything that waited
     * for the worker to read.
     */
    public boolean settle(Duration limit) {
        long until = System.nanoTime() + limit.toNanos();
        try {
            // Whoever is in the middle of a frame to a worker that does not read has the lock.
            if (closeStreams(limit) && writing.tryLock(until - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                try {
                    return open;
                } finally {
                    writing.unlock();
                }
            }
            LOG.log(
                    System.Logger.Level.WARNING,
                    "a worker left unread what was sent to it, and has no network any more");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        close();
        return false;
    }

    private boolean closeStreams(Duration limit) throws InterruptedException {
        return streams.isEmpty()
                || Thread.startVirtualThread(() -> streams.values().forEach(EgressStream::close))
                        .join(limit);
    }

    /** Tells the worker that it is heard, and serves it until its socket ends. Closes everything then. */
    public void serve() {
        try {
            send(READY, 0, 0, null, 0);
            ByteBuffer head = ByteBuffer.allocate(HEAD);
            while (true) {
                fill(head.clear());
                head.flip();
                receive(head.get(), head.getInt(), head.getInt());
            }
        } catch (EOFException | ClosedChannelException e) {
            LOG.log(System.Logger.Level.DEBUG, "a worker's egress channel ended");
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "a worker''s egress channel was ended: {0}", e.toString());
        } finally {
            grant = null;
            close();
            streams.values().forEach(EgressStream::lost);
        }
    }

    private void close() {
        // Here, not when the socket's thread hears of it: whoever waits to write gives the lock back before that.
        open = false;
        try {
            socket.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "closing an egress channel", e);
        }
    }

    private void receive(byte type, int id, int number) throws IOException {
        if (number < 0 || id <= 0) {
            throw new IOException("it sent a frame with a negative number");
        }
        if (type == OPEN) {
            open(id, number);
            return;
        }
        EgressStream stream = streams.get(id);
        switch (type) {
            case DATA -> {
                if (number == 0 || number > DATA_MAX) {
                    throw new IOException("it sent " + number + " bytes in one frame");
                }
                byte[] data = new byte[number];
                fill(ByteBuffer.wrap(data));
                if (stream != null && !stream.received(data)) {
                    throw new IOException("it sent more than its window");
                }
            }
            case END -> {
                if (stream != null) {
                    stream.receivedEnd();
                }
            }
            case RESET -> {
                if (stream != null) {
                    streams.remove(id);
                    stream.lost();
                }
            }
            case CREDIT -> {
                if (stream != null && !stream.credited(number)) {
                    throw new IOException("it gave more credit than there is");
                }
            }
            default -> throw new IOException("it sent a frame of unknown type " + type);
        }
    }

    private void open(int id, int way) throws IOException {
        if (way != TO_PROXY && way != TO_PLANE) {
            throw new IOException("it opened a connection to nowhere");
        }
        if (id <= lastStream) {
            throw new IOException("it opened a connection twice");
        }
        lastStream = id;
        EgressGrant now = grant;
        if (now == null) {
            send(RESET, id, 0, null, 0);
            return;
        }
        EgressStream stream = new EgressStream(this, id);
        streams.put(id, stream);
        if (!(way == TO_PLANE ? proxy.acceptForPlane(stream, now) : proxy.accept(stream, now))) {
            stream.close();
        }
    }

    private void fill(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (socket.read(buffer) < 0) {
                throw new EOFException("the worker closed it");
            }
        }
    }

    void sendData(int id, byte[] data, int count) throws IOException {
        send(DATA, id, count, data, count);
    }

    void sendEnd(int id) throws IOException {
        send(END, id, 0, null, 0);
    }

    void sendCredit(int id, int count) throws IOException {
        send(CREDIT, id, count, null, 0);
    }

    /** The connection is over on this side; says so to the worker, unless the channel has ended. */
    void forget(int id) {
        if (streams.remove(id) != null) {
            try {
                send(RESET, id, 0, null, 0);
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "a worker's egress channel ended", e);
            }
        }
    }

    private void send(byte type, int id, int number, byte @Nullable [] data, int count) throws IOException {
        ByteBuffer frame =
                ByteBuffer.allocate(HEAD + count).put(type).putInt(id).putInt(number);
        if (data != null) {
            frame.put(data, 0, count);
        }
        frame.flip();
        writing.lock();
        try {
            while (frame.hasRemaining()) {
                socket.write(frame);
            }
        } finally {
            writing.unlock();
        }
    }
}
