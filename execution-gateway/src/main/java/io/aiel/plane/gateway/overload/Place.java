package io.aiel.plane.gateway.overload;

import java.util.concurrent.atomic.AtomicBoolean;

/** One execution's place in this server. Whoever has it must leave, once; leaving again does nothing. Thread-safe. */
public final class Place implements Entry {
    private final ExecutionGate gate;
    private final ExecutionGate.Holder holder;
    private final int takenBefore;
    private final int heldBefore;
    private final AtomicBoolean left = new AtomicBoolean();

    Place(ExecutionGate gate, ExecutionGate.Holder holder, int takenBefore, int heldBefore) {
        this.gate = gate;
        this.holder = holder;
        this.takenBefore = takenBefore;
        this.heldBefore = heldBefore;
    }

    /** How many places the project held when it got this one. */
    public int heldBefore() {
        return heldBefore;
    }

    int takenBefore() {
        return takenBefore;
    }

    ExecutionGate.Holder holder() {
        return holder;
    }

    /** Leaves, and says nothing about how long it took. */
    public void leave() {
        if (left.compareAndSet(false, true)) {
            gate.left(this);
        }
    }

    /**
     * Leaves, and tells the limit how the plane is doing.
     *
     * @param ownNanos how long the plane itself took for the execution: not the time that its code ran
     * @param failed whether the plane could not do its part
     */
    public void leave(long ownNanos, boolean failed) {
        if (left.compareAndSet(false, true)) {
            gate.sample(this, ownNanos, failed);
            gate.left(this);
        }
    }
}
