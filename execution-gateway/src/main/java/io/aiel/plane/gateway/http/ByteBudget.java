package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.loops.EventLoops;
import io.aiel.plane.gateway.overload.Shares;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How many bytes of bodies may be in memory at a time. Whoever finds no room waits his turn for a while, up to a number of
 * waiting ones; a large one at the head is not overtaken for ever, as nobody passes it. Holders share the bytes and the places to
 * wait: one that has its share is passed by others until it has given something back. Thread-safe; a share comes on the caller's
 * event loop.
 */
final class ByteBudget {
    private final long bytesMax;
    private final Shares<Holder> bytes;
    private final Shares<Holder> places;
    private final Deque<Waiter> waiting = new ArrayDeque<>();

    private record Waiter(Holder holder, long bytes, CompletableFuture<Share> turn) {}

    ByteBudget(long bytesMax, int waitingMax) {
        this.bytesMax = bytesMax;
        this.bytes = new Shares<>(bytesMax);
        this.places = new Shares<>(waitingMax);
    }

    /** Whose bodies they are. */
    sealed interface Holder {
        /** What one project uploads. */
        record Uploads(ProjectId project) implements Holder {}

        /** What is downloaded, whose ever it is: the URL of a blob names no project. */
        record Downloads() implements Holder {}
    }

    /** A part of the budget until it is closed; closing again does nothing. */
    final class Share implements AutoCloseable {
        private final Waiter taken;
        private final AtomicBoolean open = new AtomicBoolean(true);

        private Share(Waiter taken) {
            this.taken = taken;
        }

        @Override
        public void close() {
            if (open.compareAndSet(true, false)) {
                giveBack(taken);
            }
        }
    }

    /** A share of so many bytes, or of everything when that is less; nothing when there are too many others or after the limit. */
    Uni<Optional<Share>> take(Holder holder, long bytes, Duration limit) {
        return Uni.createFrom().deferred(() -> {
            CompletableFuture<Share> turn = new CompletableFuture<>();
            if (!join(new Waiter(holder, Math.min(bytes, bytesMax), turn))) {
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
            for (Iterator<Waiter> all = waiting.iterator(); all.hasNext(); ) {
                Waiter other = all.next();
                if (other.turn().isDone()) {
                    all.remove();
                    places.giveBack(other.holder(), 1);
                }
            }
            if (places.take(waiter.holder(), 1) != Shares.Answer.TAKEN) {
                return false;
            }
            waiting.addLast(waiter);
        }
        letIn();
        return true;
    }

    private void giveBack(Waiter taken) {
        bytes.giveBack(taken.holder(), taken.bytes());
        letIn();
    }

    private void letIn() {
        Deque<Waiter> next = new ArrayDeque<>();
        synchronized (this) {
            Set<Holder> passed = new HashSet<>();
            for (Iterator<Waiter> all = waiting.iterator(); all.hasNext(); ) {
                Waiter waiter = all.next();
                if (!waiter.turn().isDone()) {
                    // Of one holder nobody passes another either.
                    Shares.Answer answer = passed.contains(waiter.holder())
                            ? Shares.Answer.HAS_ITS_SHARE
                            : bytes.take(waiter.holder(), waiter.bytes());
                    if (answer == Shares.Answer.NOT_FREE) {
                        break;
                    }
                    if (answer == Shares.Answer.HAS_ITS_SHARE) {
                        passed.add(waiter.holder());
                        continue;
                    }
                    next.addLast(waiter);
                }
                all.remove();
                places.giveBack(waiter.holder(), 1);
            }
        }
        for (Waiter waiter : next) {
            Share share = new Share(waiter);
            // Whose time ran out between the two has no use for it.
            if (!waiter.turn().complete(share)) {
                share.close();
            }
        }
    }

    /** Bytes that are held now. */
    long held() {
        return bytes.held();
    }
}
