package io.aiel.plane.gateway.memory;

import io.aiel.plane.vocabulary.JsonText;

/** What texts take. */
final class Sizes {
    /** What a row takes besides its texts, about; without it a quota of bytes would not bound small rows. */
    static final int ROW = 128;

    private Sizes() {}

    /** Bytes of UTF-8. */
    static int of(String text) {
        int bytes = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                bytes++;
            } else if (c < 0x800 || Character.isSurrogate(c)) {
                bytes += 2;
            } else {
                bytes += 3;
            }
        }
        return bytes;
    }

    static int of(JsonText text) {
        return of(text.value());
    }
}
