package io.aiel.plane.hydrator.egress;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A worker's end of an egress channel. Gives credit for what it reads at once. */
final class FakeWorker implements AutoCloseable {
    private static final byte[] OVER = new byte[0];

    private final SocketChannel socket;
    private final Map<Integer, BlockingQueue<byte[]>> received = new ConcurrentHashMap<>();
    private final CountDownLatch ready = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean deaf;
    private int last;

    FakeWorker(SocketChannel socket) {
        this.socket = socket;
        Thread.ofPlatform().daemon().start(this::read);
    }

    void awaitReady() throws InterruptedException {
        if (!ready.await(20, TimeUnit.SECONDS)) {
            throw new AssertionError("the channel is not ready");
        }
    }

    /** Opens a connection and sends this on it. */
    int open(byte[] first) throws IOException {
        int id = ++last;
        received.put(id, new LinkedBlockingQueue<>());
        frame(1, id, 0, OVER);
        send(id, first);
        return id;
    }

    /** Opens a connection to the plane's API. */
    int openToPlane() throws IOException {
        int id = ++last;
        frame(1, id, 1, OVER);
        return id;
    }

    /** From the next frame on nothing is read. */
    void goDeaf() {
        deaf = true;
    }

    void send(int id, byte[] data) throws IOException {
        frame(2, id, data.length, data);
    }

    void end(int id) throws IOException {
        frame(3, id, 0, OVER);
    }

    void raw(byte[] bytes) throws IOException {
        write(ByteBuffer.wrap(bytes));
    }

    /** What comes next on the connection. */
    String some(int id) throws InterruptedException {
        byte[] data = of(id).poll(20, TimeUnit.SECONDS);
        if (data == null) {
            throw new AssertionError("nothing came");
        }
        return new String(data, StandardCharsets.ISO_8859_1);
    }

    /** Everything that comes until the connection is over. */
    String answer(int id) throws InterruptedException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        while (true) {
            byte[] data = of(id).poll(20, TimeUnit.SECONDS);
            if (data == null) {
                throw new AssertionError("the connection does not end; so far: " + all);
            }
            if (data.length == 0) {
                return all.toString(StandardCharsets.ISO_8859_1);
            }
            all.writeBytes(data);
        }
    }

    /** Whether the server ended the channel. */
    boolean closed() throws InterruptedException {
        return ended.await(20, TimeUnit.SECONDS);
    }

    private BlockingQueue<byte[]> of(int id) {
        return received.computeIfAbsent(id, _ -> new LinkedBlockingQueue<>());
    }

    private void read() {
        try {
            while (!deaf) {
                ByteBuffer head = fill(9);
                int type = head.get();
                int id = head.getInt();
                int number = head.getInt();
                switch (type) {
                    case 2 -> {
                        of(id).add(fill(number).array());
                        frame(5, id, number, OVER);
                    }
                    case 4 -> of(id).add(OVER);
                    case 6 -> ready.countDown();
                    default -> {
                        // End and credit: what is over is said by the reset.
                    }
                }
            }
        } catch (IOException e) {
            ended.countDown();
            received.values().forEach(queue -> queue.add(OVER));
        }
    }

    private ByteBuffer fill(int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            if (socket.read(buffer) < 0) {
                throw new EOFException();
            }
        }
        return buffer.flip();
    }

    private synchronized void frame(int type, int id, int number, byte[] data) throws IOException {
        write(ByteBuffer.allocate(9 + data.length)
                .put((byte) type)
                .putInt(id)
                .putInt(number)
                .put(data)
                .flip());
    }

    private void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            socket.write(bytes);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
