package io.aiel.plane.registry.snapshot;

/** What became of an attempt to seal a tree. */
public sealed interface SealOutcome {
    /** The tree is this snapshot, valid or rejected. */
    record Sealed(Snapshot snapshot, boolean created) implements SealOutcome {}

    /** The project never had a file. */
    record Empty() implements SealOutcome {}

    /** Validation could not be done; nothing is said about the tree. */
    record Unavailable(String detail) implements SealOutcome {}

    /** Somebody else is sealing it, or it is not due. */
    record NotNow() implements SealOutcome {}
}
