package io.aiel.plane.gateway.app;

import io.aiel.plane.policy.PolicyEngine;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.util.Optional;

/** Whether the policy engine decides. */
@Singleton
class PolicyConcern implements ReadinessConcern {
    private final PolicyEngine policy;

    PolicyConcern(PolicyEngine policy) {
        this.policy = policy;
    }

    @Override
    public String name() {
        return "policy";
    }

    @Override
    public Uni<Optional<String>> objection() {
        return Uni.createFrom()
                .item(policy.ready() ? Optional.empty() : Optional.of("the policy engine is not ready; all is denied"));
    }
}
