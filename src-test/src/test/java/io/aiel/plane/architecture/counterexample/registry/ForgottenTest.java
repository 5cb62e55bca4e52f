package io.aiel.plane.architecture.counterexample.registry;

/** Breaks "what looks like a test is run as one". Has no test annotation, so nothing runs it. */
public final class ForgottenTest {
    void deniesWhenThePolicyIsMissing() {
        if (ForgottenTest.class.desiredAssertionStatus()) {
            throw new IllegalStateException("this would fail, if it were run");
        }
    }
}
