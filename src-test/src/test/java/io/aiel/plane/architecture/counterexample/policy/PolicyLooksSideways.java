package io.aiel.plane.architecture.counterexample.policy;

import io.aiel.plane.architecture.counterexample.hydrator.HydratorLooksSideways;

/** Breaks the module arrows: policy imports hydrator. */
public final class PolicyLooksSideways {
    private PolicyLooksSideways() {}

    public static Class<?> other() {
        return HydratorLooksSideways.class;
    }
}
