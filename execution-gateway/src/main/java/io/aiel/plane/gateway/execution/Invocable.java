package io.aiel.plane.gateway.execution;

import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.time.Clock;
import java.util.Optional;

/**
 * Asks the policy what a caller could invoke, for lists that show only that. Nothing is run, so nothing is recorded; and an answer here
 * allows nothing: an invocation is decided anew, with its arguments, by {@link ExecutionService}. Thread-safe.
 */
public final class Invocable {
    private final PolicyEngine policy;
    private final Clock clock;

    public Invocable(PolicyEngine policy, Clock clock) {
        this.policy = policy;
        this.clock = clock;
    }

    /** Whether the caller could invoke the capability with some arguments and no special wishes. */
    public boolean by(Caller caller, ResolvedCapability target) {
        Decision decision = policy.decide(new PolicyInput(
                caller.principal(),
                "execution.invoke",
                Optional.of(caller.scope()),
                Optional.of(target),
                target.capability().map(one -> one.ref().toString()).orElse(""),
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                RunnerRequestReader.DEFAULT_TIMEOUT_MS,
                clock.instant(),
                caller.sourceAddress(),
                caller.traceId(),
                caller.requestId()));
        return ExecutionService.refuseUnmetObligations(decision) instanceof Decision.Allow;
    }
}
