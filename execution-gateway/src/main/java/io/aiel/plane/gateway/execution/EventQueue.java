package io.aiel.plane.gateway.execution;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Events that wait for one reader. Bounded by whoever puts them in: each is told when there is room for another.
 *
 * <p>Thread-safe; nothing foreign is called under the lock. When the reader has gone, nothing is kept and nobody waits.
 */
final class EventQueue implements EventSource {
    private final long charsMax;
    private final Runnable onLeave;
    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Deque<Event> waiting = new ArrayDeque<>();
    private long waitingChars;
    private long given;
    private CompletableFuture<Void> room = CompletableFuture.completedFuture(null);
    private Runnable look = () -> {};
    private boolean ended;
    private boolean gone;

    /**
     * @param given the number of the last event that the reader has already; 0 for none
     * @param charsMax so much waits for the reader, and one event more, before there is no room
     * @param onLeave called once, when the reader has gone or has had the end
     */
    EventQueue(long given, long charsMax, Runnable onLeave) {
        this.given = given;
        this.charsMax = charsMax;
        this.onLeave = onLeave;
    }

    /** Adds the next event; completes when there is room for another. */
    CompletionStage<Void> put(String name, String data) {
        return put(0, name, data, false);
    }

    /** Adds the event with this number, unless the reader was given it or a later one. */
    void put(long number, String name, String data) {
        var _ = put(number, name, data, false);
    }

    /** Adds the next event, after which none comes. */
    void putLast(String name, String data) {
        var _ = put(0, name, data, true);
    }

    /** @param number 0 for the next */
    private CompletionStage<Void> put(long number, String name, String data, boolean last) {
        CompletableFuture<Void> wanted;
        Runnable told;
        lock.lock();
        try {
            if (gone || ended || (number != 0 && number <= given)) {
                return CompletableFuture.completedFuture(null);
            }
            given = number == 0 ? given + 1 : number;
            waiting.add(new Event(Long.toString(given), name, data));
            waitingChars += data.length();
            ended = last;
            if (waitingChars > charsMax && room.isDone()) {
                room = new CompletableFuture<>();
            }
            wanted = room;
            told = look;
        } finally {
            lock.unlock();
        }
        told.run();
        return wanted;
    }

    /** There is nothing more to come, or not by this way. */
    void end() {
        Runnable told;
        lock.lock();
        try {
            ended = true;
            told = look;
        } finally {
            lock.unlock();
        }
        told.run();
    }

    /**
     * Takes back what the reader has not taken, and gives him this as the last event instead.
     *
     * @param numbered whether it is the next of the stream; otherwise it has no place there
     */
    void breakOff(String name, String data, boolean numbered) {
        CompletableFuture<Void> free;
        Runnable told;
        lock.lock();
        try {
            if (gone || (ended && waiting.isEmpty())) {
                return;
            }
            waiting.clear();
            given = numbered ? given + 1 : given;
            waiting.add(new Event(numbered ? Long.toString(given) : "", name, data));
            waitingChars = data.length();
            ended = true;
            free = room;
            told = look;
        } finally {
            lock.unlock();
        }
        free.complete(null);
        told.run();
    }

    /** The number of the last event that the reader was given. */
    long given() {
        lock.lock();
        try {
            return given;
        } finally {
            lock.unlock();
        }
    }

    /** Whether the reader has taken all that he was given and wants more. */
    boolean isHungry() {
        lock.lock();
        try {
            return waiting.isEmpty() && !ended && !gone;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void onMore(Runnable reader) {
        lock.lock();
        try {
            look = reader;
        } finally {
            lock.unlock();
        }
        reader.run();
    }

    @Override
    public Optional<Event> next() {
        Event event;
        CompletableFuture<Void> free;
        lock.lock();
        try {
            event = waiting.poll();
            if (event == null) {
                return Optional.empty();
            }
            waitingChars -= event.data().length();
            free = waitingChars <= charsMax ? room : new CompletableFuture<>();
        } finally {
            lock.unlock();
        }
        free.complete(null);
        return Optional.of(event);
    }

    @Override
    public boolean isOver() {
        lock.lock();
        try {
            return gone || (ended && waiting.isEmpty());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void leave() {
        CompletableFuture<Void> free;
        lock.lock();
        try {
            if (gone) {
                return;
            }
            gone = true;
            waiting.clear();
            waitingChars = 0;
            free = room;
        } finally {
            lock.unlock();
        }
        onLeave.run();
        free.complete(null);
    }
}
