package io.aiel.plane.vocabulary;

/** Names one audit event. */
public record EventId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "evt";

    public EventId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static EventId create() {
        return new EventId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static EventId parse(String text) {
        return new EventId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
