package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.TokenText;

/**
 * Makes text that somebody else wrote fit for a record: bounded, and without characters that break lines, move a terminal's
 * cursor, reorder what a reader sees or have no UTF-8 form. Never fails.
 */
final class RecordText {
    private static final char REPLACEMENT = '\uFFFD';

    private RecordText() {}

    /** The text with unfit characters replaced, cut to {@code charactersMax} with a digest of the whole when longer. */
    static String clean(String given, int charactersMax) {
        String text = TokenText.redacted(given);
        String bounded = text;
        if (text.length() > charactersMax) {
            // The digest lets somebody who has the original show that it is the one; Digest.of is total, as Java's
            // encoder
            // replaces what has no UTF-8 form.
            bounded =
                    text.substring(0, charactersMax) + "… (" + text.length() + " characters, " + Digest.of(text) + ")";
        }
        int first = firstUnfit(bounded);
        return first < 0 ? bounded : replace(bounded, first);
    }

    /** Whether each character may stand in a record as it is once the canonical form has escaped C0. */
    static boolean isLineSafe(String canonicalJson) {
        for (int i = 0; i < canonicalJson.length(); i++) {
            if (isUnfit(canonicalJson, i)) {
                return false;
            }
        }
        return true;
    }

    /** Whether each character may stand in a record as it is, or as the escape that the canonical form has for C0. */
    static boolean isFitOnceEscaped(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= 0x20 && isUnfit(text, i)) {
                return false;
            }
        }
        return true;
    }

    /** The JSON text with each unfit character written as a {@code \\uXXXX} escape, which JSON reads as the same text. */
    static String escapeJson(String json) {
        StringBuilder out = new StringBuilder(json.length() + 32);
        for (int i = 0; i < json.length(); i++) {
            char c = json.charAt(i);
            if (c == '\n' || c == '\r' || c == '\t') {
                out.append(' '); // may stand between tokens only, where a blank means the same
            } else if (isUnfit(json, i)) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private static int firstUnfit(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (isUnfit(text, i)) {
                return i;
            }
        }
        return -1;
    }

    private static String replace(String text, int from) {
        StringBuilder out = new StringBuilder(text);
        for (int i = from; i < text.length(); i++) {
            if (isUnfit(text, i)) {
                char c = text.charAt(i);
                out.setCharAt(i, c < 0x20 ? (char) (0x2400 + c) : c == 0x7f ? '\u2421' : REPLACEMENT);
            }
        }
        return out.toString();
    }

    private static boolean isUnfit(String text, int i) {
        char c = text.charAt(i);
        if (c < 0x7f) {
            return c < 0x20;
        }
        if (Character.isSurrogate(c)) {
            return !isPaired(text, i);
        }
        return c <= 0x9f // DEL and C1, which holds the one-character CSI
                || (c >= 0x200e && c <= 0x200f)
                || (c >= 0x2028 && c <= 0x202e) // line and paragraph separator, bidirectional overrides
                || (c >= 0x2066 && c <= 0x2069)
                || c == 0xfeff
                || c >= 0xfffe;
    }

    private static boolean isPaired(String text, int i) {
        if (Character.isHighSurrogate(text.charAt(i))) {
            return i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1));
        }
        return i > 0 && Character.isHighSurrogate(text.charAt(i - 1));
    }
}
