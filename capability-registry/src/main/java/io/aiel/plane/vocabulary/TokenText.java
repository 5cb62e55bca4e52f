package io.aiel.plane.vocabulary;

import java.util.regex.Pattern;

/**
 * Recognises tokens of the plane, and the secrets that its callbacks are signed with, in text that is not one: a path, a name, an error message. Callers put them there by mistake, and
 * what is named so would be recorded, answered and logged. All methods are total and thread-safe.
 */
public final class TokenText {
    private static final String PREFIX = "aielp_";
    private static final String SECRET_PREFIX = "whsec_";
    private static final Pattern TOKEN =
            Pattern.compile("(aielp_[a-z]{3}_)[0-9A-Za-z]{12,}|(whsec_)[0-9A-Za-z+/]{12,}={0,2}");

    private TokenText() {}

    /** Whether the text holds what could be a token, or enough of one that the rest could be told. */
    public static boolean isIn(String text) {
        return mayHold(text) && TOKEN.matcher(text).find();
    }

    /** The text with each token cut to its kind. */
    public static String redacted(String text) {
        return mayHold(text) ? TOKEN.matcher(text).replaceAll("$1$2[redacted]") : text;
    }

    private static boolean mayHold(String text) {
        return text.contains(PREFIX) || text.contains(SECRET_PREFIX);
    }
}
