package io.aiel.plane.vocabulary;

/** Names a project of a workspace. */
public record ProjectId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "proj";

    public ProjectId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static ProjectId create() {
        return new ProjectId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static ProjectId parse(String text) {
        return new ProjectId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
