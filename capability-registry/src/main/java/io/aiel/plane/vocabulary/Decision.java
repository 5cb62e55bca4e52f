package io.aiel.plane.vocabulary;

import java.util.List;

/** What the policy said. "Could not decide" is also a {@link Deny}, with a reason that says so: anything unsure is denied. */
public sealed interface Decision {
    /** Names this evaluation. */
    DecisionId id();

    /** The content address of the policy that decided. */
    Digest policyDigest();

    /** The full, versioned policy input as it was evaluated, for the record and for re-deciding later. */
    JsonText input();

    /** Why, in the policy's own words; never empty for a denial. */
    List<String> reasons();

    /** The same decision as it goes on record, with parts of its input withheld. */
    Decision withInput(JsonText recorded);

    /** The action may go on, under these obligations. Made by the policy engine alone. */
    record Allow(DecisionId id, Digest policyDigest, JsonText input, List<String> reasons, Obligations obligations)
            implements Decision {
        public Allow {
            reasons = List.copyOf(reasons);
        }

        @Override
        public Allow withInput(JsonText recorded) {
            return new Allow(id, policyDigest, recorded, reasons, obligations);
        }
    }

    /**
     * The action must not go on.
     *
     * @param undecided true when the engine could not get a valid answer (undefined, wrong type, error, timeout)
     */
    record Deny(DecisionId id, Digest policyDigest, JsonText input, List<String> reasons, boolean undecided)
            implements Decision {
        public Deny {
            reasons = List.copyOf(reasons);
            if (reasons.isEmpty()) {
                throw new IllegalArgumentException("a denial says why");
            }
        }

        @Override
        public Deny withInput(JsonText recorded) {
            return new Deny(id, policyDigest, recorded, reasons, undecided);
        }
    }
}
