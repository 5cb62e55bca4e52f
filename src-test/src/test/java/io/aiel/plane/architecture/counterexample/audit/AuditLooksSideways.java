package io.aiel.plane.architecture.counterexample.audit;

import io.aiel.plane.architecture.counterexample.policy.PolicyLooksSideways;

/** Breaks the module arrows: audit imports policy. */
public final class AuditLooksSideways {
    private AuditLooksSideways() {}

    public static Class<?> other() {
        return PolicyLooksSideways.class;
    }
}
