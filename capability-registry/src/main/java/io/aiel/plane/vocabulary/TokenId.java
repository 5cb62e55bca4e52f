package io.aiel.plane.vocabulary;

/** Names an access token; it is not the token and reveals nothing of it. */
public record TokenId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "tok";

    public TokenId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static TokenId create() {
        return new TokenId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static TokenId parse(String text) {
        return new TokenId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
