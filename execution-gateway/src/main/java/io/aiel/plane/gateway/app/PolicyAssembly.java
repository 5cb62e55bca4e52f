package io.aiel.plane.gateway.app;

import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.quarkus.arc.DefaultBean;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.util.List;

/** Makes the policy engine. */
class PolicyAssembly {
    @Produces
    @Singleton
    @DefaultBean
    PolicyEngine policyEngine() {
        return new NoPolicy();
    }

    /** Where there is no policy, everything is denied. */
    private static final class NoPolicy implements PolicyEngine {
        private static final Digest NONE = Digest.of("no policy");

        @Override
        public Decision decide(PolicyInput input) {
            return new Decision.Deny(
                    DecisionId.create(), NONE, new JsonText("null"), List.of("undecided: there is no policy"), true);
        }

        @Override
        public Digest policyDigest() {
            return NONE;
        }

        @Override
        public boolean ready() {
            return false;
        }
    }
}
