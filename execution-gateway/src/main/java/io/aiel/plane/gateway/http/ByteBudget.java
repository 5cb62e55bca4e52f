package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.loops.EventLoops;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How many bytes of bodies may be in memory at a time. Whoever finds no room waits his turn for a while, up to a number of
 * waiting ones; a large one at the head is not overtaken for ever, as nobody passes it. Thread-safe; a share comes on the
 * caller's event loop.
 */
final class ByteBudget {
    private final long bytesMax;
    private final int waitingMax;
    private final Deque<Waiter> waiting = new ArrayDeque<>();
    private long held;

    private record Waiter(long bytes, CompletableFuture<Share> turn) {}

    ByteBudget(long bytesMax, int waitingMax) {
        this.bytesMax = bytesMax;
        this.waitingMax = waitingMax;
    }

    /** A part of the budget until it is closed; closing again does nothing. */
    final class Share implements AutoCloseable {
        private final long bytes;
        private final AtomicBoolean open = new AtomicBoolean(true);

        private Share(long bytes) {
            this.bytes = bytes;
        }

        @Override
        public void close() {
            if (open.compareAndSet(true, false)) {
                giveBack(bytes);
            }
        }
    }

    /** A share of so many bytes, or of everything when that is less; nothing when there are too many others or after the limit. */
    Uni<Optional<Share>> take(long bytes, Duration limit) {
        return Uni.createFrom().deferred(() -> {
            CompletableFuture<Share> turn = new CompletableFuture<>();
            if (!join(new Waiter(Math.min(bytes, bytesMax), turn))) {
                return Uni.createFrom().item(Optional.empty());
            }
            return EventLoops.goOnHere(Uni.createFrom()
                    .completionStage(turn.orTimeout(limit.toMillis(), TimeUnit.MILLISECONDS))
                    .map(Optional::of)
                    .onFailure()
                    .recoverWithItem(Optional.empty()));
        });
    }

    private boolean join(Waiter waiter) {
        synchronized (this) {
            waiting.removeIf(other -> other.turn().isDone());
            if (waiting.size() >= waitingMax) {
                return false;
            }
            waiting.addLast(waiter);
        }
        letIn();
        return true;
    }

    private void giveBack(long bytes) {
        synchronized (this) {
            held -= bytes;
        }
        letIn();
    }

    private void letIn() {
        Deque<Waiter> next = new ArrayDeque<>();
        synchronized (this) {
            for (Iterator<Waiter> all = waiting.iterator(); all.hasNext(); ) {
                Waiter waiter = all.next();
                if (!waiter.turn().isDone()) {
                    if (held + waiter.bytes() > bytesMax) {
                        break;
                    }
                    held += waiter.bytes();
                    next.addLast(waiter);
                }
                all.remove();
            }
        }
        for (Waiter waiter : next) {
            Share share = new Share(waiter.bytes());
            // Whose time ran out between the two has no use for it.
            if (!waiter.turn().complete(share)) {
                share.close();
            }
        }
    }

    /** Bytes that are held now. */
    synchronized long held() {
        return held;
    }
}
