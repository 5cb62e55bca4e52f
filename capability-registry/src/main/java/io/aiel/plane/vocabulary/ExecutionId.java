package io.aiel.plane.vocabulary;

/** Names one invocation of a capability. */
public record ExecutionId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "exec";

    public ExecutionId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static ExecutionId create() {
        return new ExecutionId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static ExecutionId parse(String text) {
        return new ExecutionId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
