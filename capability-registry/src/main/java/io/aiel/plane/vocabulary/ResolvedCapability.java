package io.aiel.plane.vocabulary;

import java.util.Objects;
import java.util.Optional;

/**
 * What an execution will run, after names were turned into content addresses.
 *
 * @param environment through which it was found; empty when the caller named a snapshot
 * @param bundle the name of the worker bundle the snapshot was validated with
 * @param capability empty for the actions {@code describe} and {@code execute}
 */
public record ResolvedCapability(
        ProjectScope scope,
        Optional<String> environment,
        SnapshotRef snapshot,
        String bundle,
        Optional<Capability> capability) {
    public ResolvedCapability {
        Objects.requireNonNull(scope, "scope");
        Objects.requireNonNull(snapshot, "snapshot");
    }
}
