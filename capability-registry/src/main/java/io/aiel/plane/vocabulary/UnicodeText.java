package io.aiel.plane.vocabulary;

/** Tells text that is Unicode from text that only fits into a {@link String}. Thread-safe. */
public final class UnicodeText {
    private UnicodeText() {}

    /**
     * Whether each surrogate has its other half (Unicode 16.0, D84), so that the text has a UTF-8 form. JSON can write what has none
     * ({@code "\ud800"}), and readers differ in what they make of it.
     */
    public static boolean isWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                return false;
            }
        }
        return true;
    }
}
