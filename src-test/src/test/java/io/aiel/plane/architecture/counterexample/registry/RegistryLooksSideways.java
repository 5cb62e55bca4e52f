package io.aiel.plane.architecture.counterexample.registry;

import io.aiel.plane.architecture.counterexample.audit.AuditLooksSideways;

/** Breaks the module arrows: registry imports audit. */
public final class RegistryLooksSideways {
    private RegistryLooksSideways() {}

    public static Class<?> other() {
        return AuditLooksSideways.class;
    }
}
