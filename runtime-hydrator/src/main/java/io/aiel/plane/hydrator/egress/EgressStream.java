package io.aiel.plane.hydrator.egress;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** One connection of a worker, as the proxy reads and writes it. Thread-safe: one thread reads, one writes, any may close it. */
final class EgressStream {
    private final EgressChannel channel;
    private final int id;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    // Under the lock:
    private final Deque<byte[]> incoming = new ArrayDeque<>();
    private int offset;
    private int unread;
    private int uncredited;
    private int credit = EgressChannel.WINDOW;
    private boolean ended;
    private boolean lost;
    private Runnable onLost = () -> {};

    EgressStream(EgressChannel channel, int id) {
        this.channel = channel;
        this.id = id;
    }

    // The channel's thread.

    /** False when the worker may not have sent so much. */
    boolean received(byte[] data) {
        lock.lock();
        try {
            if (ended || unread + uncredited + data.length > EgressChannel.WINDOW) {
                return false;
            }
            if (!lost) {
                incoming.add(data);
                unread += data.length;
                changed.signalAll();
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    void receivedEnd() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean credited(int count) {
        lock.lock();
        try {
            if (credit + (long) count > EgressChannel.WINDOW) {
                return false;
            }
            credit += count;
            changed.signalAll();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** The other side is gone. */
    void lost() {
        Runnable tell;
        lock.lock();
        try {
            tell = lost ? () -> {} : onLost;
            lost = true;
            incoming.clear();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tell.run();
    }

    /** Run once, when the other side is gone or {@link #close} was called; at once if it was before. Must not block. */
    void onLost(Runnable action) {
        boolean already;
        lock.lock();
        try {
            onLost = action;
            already = lost;
        } finally {
            lock.unlock();
        }
        if (already) {
            action.run();
        }
    }

    // The proxy's threads.

    /** At least one byte, or -1 at the end; {@link SocketTimeoutException} when none comes in time. */
    int read(byte[] buffer, int from, int countMax, Duration limit) throws IOException {
        int count;
        int credited = 0;
        lock.lock();
        try {
            await(limit, () -> !incoming.isEmpty() || ended);
            byte[] first = incoming.peek();
            if (first == null) {
                return -1;
            }
            count = Math.min(countMax, first.length - offset);
            System.arraycopy(first, offset, buffer, from, count);
            offset += count;
            if (offset == first.length) {
                incoming.remove();
                offset = 0;
            }
            unread -= count;
            uncredited += count;
            if (uncredited >= EgressChannel.WINDOW / 2) {
                credited = uncredited;
                uncredited = 0;
            }
        } finally {
            lock.unlock();
        }
        if (credited > 0) {
            channel.sendCredit(id, credited);
        }
        return count;
    }

    /** All of it; {@link SocketTimeoutException} when the worker does not take it in time. */
    void write(byte[] data, int count, Duration limit) throws IOException {
        int done = 0;
        while (done < count) {
            int part;
            lock.lock();
            try {
                await(limit, () -> credit > 0);
                part = Math.min(Math.min(count - done, credit), EgressChannel.DATA_MAX);
                credit -= part;
            } finally {
                lock.unlock();
            }
            byte[] bytes = done == 0 ? data : java.util.Arrays.copyOfRange(data, done, done + part);
            channel.sendData(id, bytes, part);
            done += part;
        }
    }

    /** Nothing more will be written. */
    void end() throws IOException {
        channel.sendEnd(id);
    }

    /** Ends both directions. Blocks only while the worker does not read its channel. */
    void close() {
        lost();
        channel.forget(id);
    }

    private interface Arrived {
        boolean now();
    }

    private void await(Duration limit, Arrived condition) throws IOException {
        long left = limit.toNanos();
        while (!condition.now() || lost) {
            if (lost) {
                throw new IOException("the worker's connection is closed");
            }
            if (left <= 0) {
                throw new SocketTimeoutException("nothing moved for " + limit.toMillis() + " ms");
            }
            try {
                left = changed.awaitNanos(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }
}
