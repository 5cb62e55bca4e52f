package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;

/**
 * The policy decision point. One question, one answer; an engine that cannot decide answers with a denial whose {@code
 * undecided} is true. Thread-safe; computation without I/O, measured in microseconds once warm.
 */
public interface PolicyEngine {
    /** Decides. Never throws for bad input or a broken policy: those are undecided denials. */
    Decision decide(PolicyInput input);

    /** The content address of the active policy. */
    Digest policyDigest();

    /** Whether instances are built and the self-check passed; until then everything is denied. */
    boolean ready();
}
