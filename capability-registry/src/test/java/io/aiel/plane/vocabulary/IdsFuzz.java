package io.aiel.plane.vocabulary;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Ids and digests: refused by their one error, or printed as they were read. */
public final class IdsFuzz {
    private IdsFuzz() {}

    /** The text of an id, or of a digest. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        for (String prefix : new String[] {"exec", "upl", "ten", "dec"}) {
            @Nullable String id = id(prefix, text);
            if (id != null && !(id.equals(text) && id.matches("[a-z]+_[0-9a-f]{32}"))) {
                throw new AssertionError("an id that is none: " + id);
            }
        }
        @Nullable Digest digest = digest(text);
        if (digest != null) {
            if (!digest.value().equals(text) || !Digest.ofHex(digest.hex()).equals(digest)) {
                throw new AssertionError("a digest that is another");
            }
        }
    }

    private static @Nullable String id(String prefix, String text) {
        try {
            return Ids.check(prefix, text);
        } catch (InvalidId refused) {
            return null;
        }
    }

    private static @Nullable Digest digest(String text) {
        try {
            return new Digest(text);
        } catch (IllegalArgumentException refused) {
            return null;
        }
    }
}
