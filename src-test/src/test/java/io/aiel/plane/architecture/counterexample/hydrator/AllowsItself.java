package io.aiel.plane.architecture.counterexample.hydrator;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import java.util.List;

/** Breaks "only the policy engine builds an Allow". */
public final class AllowsItself {
    private AllowsItself() {}

    public static Decision decide(DecisionId id, Digest policy, JsonText input) {
        return new Decision.Allow(id, policy, input, List.of(), Obligations.NONE);
    }
}
