package io.aiel.plane.vocabulary;

import java.util.regex.Pattern;

/**
 * Recognises tokens of the plane in text that is not one: a path, a name, an error message. Callers put them there by mistake, and
 * what is named so would be recorded, answered and logged. All methods are total and thread-safe.
 */
public final class TokenText {
    private static final String PREFIX = "aielp_";
    private static final String SECRET_PREFIX = "whsec_";
    private static final Pattern TOKEN = Pattern.compile("(aielp_[a-z]{3}_)[0-9A-Za-z]{12,}");

    /** 32 bytes in base64. Others have secrets that begin so, and where one may be is theirs to say: it is taken out, never refused. */
    private static final Pattern SECRET = Pattern.compile("(whsec_)[0-9A-Za-z+/]{43}=?");

    private TokenText() {}

    /** Whether the text holds what could be a token, or enough of one that the rest could be told. */
    public static boolean isIn(String text) {
        return text.contains(PREFIX) && TOKEN.matcher(text).find();
    }

    /** The text with each token, and each secret of callbacks, cut to its kind. */
    public static String redacted(String text) {
        String withoutTokens = text.contains(PREFIX) ? TOKEN.matcher(text).replaceAll("$1[redacted]") : text;
        return withoutTokens.contains(SECRET_PREFIX)
                ? SECRET.matcher(withoutTokens).replaceAll("$1[redacted]")
                : withoutTokens;
    }
}
