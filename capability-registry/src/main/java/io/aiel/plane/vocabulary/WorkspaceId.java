package io.aiel.plane.vocabulary;

/** Names a workspace of a tenant. */
public record WorkspaceId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "ws";

    public WorkspaceId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static WorkspaceId create() {
        return new WorkspaceId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static WorkspaceId parse(String text) {
        return new WorkspaceId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
