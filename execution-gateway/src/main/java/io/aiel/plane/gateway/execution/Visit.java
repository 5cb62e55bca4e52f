package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.Place;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One request's stay in the sequence: whether its client has gone away, its place, and how long the plane itself took for it.
 *
 * <p>Thread-safe. The client's departure comes from its connection's event loop; everything else happens in the order of the
 * sequence.
 */
final class Visit {
    private final LongSupplier nanoTime;
    private final Manner manner;
    private final AtomicBoolean gone = new AtomicBoolean();
    private volatile boolean stays;
    private volatile Runnable action = () -> {};
    private volatile QueuedRuns.@Nullable Turn turn;
    private volatile @Nullable Place place;
    private volatile @Nullable ExecutionStream stream;
    private volatile long entered;
    private volatile long admitted;
    private volatile long ended;

    Visit(LongSupplier nanoTime) {
        this(nanoTime, Manner.NOW);
    }

    Visit(LongSupplier nanoTime, Manner manner) {
        this.nanoTime = nanoTime;
        this.manner = manner;
    }

    /** How it is to be taken. */
    Manner manner() {
        return manner;
    }

    /** Sets what to do when the client goes away; does it at once when it has gone already. */
    void then(Runnable onDeparture) {
        action = onDeparture;
        if (gone.get()) {
            onDeparture.run();
        }
    }

    /** The client takes what the code gives as it comes, by this. */
    void streamsBy(ExecutionStream audience) {
        stream = audience;
    }

    /** How the client takes what the code gives as it comes; empty when it wants the answer alone. */
    Optional<ExecutionStream> stream() {
        return Optional.ofNullable(stream);
    }

    /** From now on it does not matter when the client goes: it can come back for the answer. */
    void outlivesItsClient() {
        stays = true;
    }

    /** The client has gone. Only the first time counts. */
    void happened() {
        if (!stays && gone.compareAndSet(false, true)) {
            action.run();
        }
    }

    boolean clientGone() {
        return gone.get();
    }

    /** It has a place. */
    void entered(@Nullable Place given) {
        place = given;
        entered = nanoTime.getAsLong();
    }

    /** The admission is on record. */
    void admitted() {
        admitted = nanoTime.getAsLong();
    }

    /** It is of the queue and has its turn there, and nobody waits for it. */
    void hasTurn(QueuedRuns.Turn given) {
        turn = given;
    }

    /** Whether others out of the queue cannot begin before it is over. */
    boolean holdsUpOthers() {
        QueuedRuns.Turn mine = turn;
        return mine != null && mine.holdsUpOthers();
    }

    /** The code has ended, well or not. */
    void ended() {
        ended = nanoTime.getAsLong();
        QueuedRuns.Turn mine = turn;
        if (mine != null) {
            mine.codeEnded();
        }
    }

    /**
     * The end is on record, or cannot be: gives the place back and says how long the plane took.
     *
     * @param ownWorkers with so many executions in hand a project may be waiting for its own workers
     * @param failed whether the end could not be recorded
     */
    void closed(WorkerRecord worker, int ownWorkers, boolean failed) {
        Place mine = place;
        if (mine == null) {
            return;
        }
        if (turn == null || failed) {
            mine.leave(own(worker, mine.heldBefore() < ownWorkers), failed);
        } else {
            // What is of the queue waits for others to be written with: that says nothing of the server.
            mine.leave();
        }
    }

    /**
     * The time to admission, the time from the code's end to its record, and the wait for a worker where that tells something
     * about the server: not when a worker had to be started, and not when the project waits for its own executions. The time
     * that the code runs is never in it: slow code is not a slow server.
     */
    long own(WorkerRecord worker, boolean waitCounts) {
        long own = admitted - entered + (nanoTime.getAsLong() - ended);
        OptionalLong started = worker.startedWarmAt();
        return waitCounts && started.isPresent() ? own + started.getAsLong() - admitted : own;
    }

    /** The admission could not be recorded. */
    void notAdmitted() {
        Place mine = place;
        if (mine != null) {
            mine.leave(nanoTime.getAsLong() - entered, true);
        }
    }

    /** The request is answered, whatever came of it. */
    void over() {
        Place mine = place;
        if (mine != null) {
            mine.leave();
        }
    }
}
