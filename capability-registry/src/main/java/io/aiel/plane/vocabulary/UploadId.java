package io.aiel.plane.vocabulary;

/** Names one signed upload between sign and commit. */
public record UploadId(String value) {
    /** What every text of this type begins with, before the underscore. */
    public static final String PREFIX = "upl";

    public UploadId {
        Ids.check(PREFIX, value);
    }

    /** A new, time-ordered id. */
    public static UploadId create() {
        return new UploadId(Ids.create(PREFIX));
    }

    /** Reads the wire form; throws {@link InvalidId} when it is not one. */
    public static UploadId parse(String text) {
        return new UploadId(text);
    }

    @Override
    public String toString() {
        return value;
    }
}
