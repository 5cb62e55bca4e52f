package io.aiel.plane.vocabulary;

/** Names who acts: a user, a service account or an execution on behalf of one. */
public record PrincipalId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "prn";

    public PrincipalId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static PrincipalId create() {
        return new PrincipalId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static PrincipalId parse(String text) {
        return new PrincipalId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
