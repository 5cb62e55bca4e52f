package io.aiel.plane.vocabulary;

/** Names one act of making a snapshot current in an environment. */
public record DeploymentId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "dep";

    public DeploymentId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static DeploymentId create() {
        return new DeploymentId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static DeploymentId parse(String text) {
        return new DeploymentId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
