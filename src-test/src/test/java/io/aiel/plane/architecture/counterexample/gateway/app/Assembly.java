package io.aiel.plane.architecture.counterexample.gateway.app;

/** What nothing else may import. */
public final class Assembly {
    private Assembly() {}
}
