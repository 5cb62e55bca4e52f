package io.aiel.plane.architecture.counterexample.hydrator;

import io.aiel.plane.architecture.counterexample.audit.AuditLooksSideways;

/** Breaks the module arrows: hydrator imports audit. */
public final class HydratorLooksSideways {
    private HydratorLooksSideways() {}

    public static Class<?> other() {
        return AuditLooksSideways.class;
    }
}
