package io.aiel.plane.vocabulary;

/** Names one evaluation of the policy. */
public record DecisionId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "dec";

    public DecisionId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static DecisionId create() {
        return new DecisionId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static DecisionId parse(String text) {
        return new DecisionId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
