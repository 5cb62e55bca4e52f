package io.aiel.plane.vocabulary;

/** Names a tenant: the border that nothing crosses. */
public record TenantId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "ten";

    public TenantId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static TenantId create() {
        return new TenantId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static TenantId parse(String text) {
        return new TenantId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
