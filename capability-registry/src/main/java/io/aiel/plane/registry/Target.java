package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.Digest;

/** What a caller may name to run code from. */
public sealed interface Target {
    /** Whatever is current in this environment, such as {@code production}. */
    record Environment(String name) implements Target {}

    /** Exactly this snapshot. */
    record Snapshot(Digest digest) implements Target {}
}
