package io.aiel.plane.gateway.callback;

import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.TokenText;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;

/**
 * Where a callback goes, in one reading: what was checked is what is connected to. Its path and query may hold a secret of the caller's, so
 * {@link #toString} shows neither.
 *
 * @param target path and query, as they are sent
 */
public record CallbackUrl(boolean https, NetworkHost host, String target) {
    private static final int CHARACTERS_MAX = 2_048;
    private static final int HTTPS_PORT = 443;
    private static final int HTTP_PORT = 80;

    /** Reads a URL; throws {@link IllegalArgumentException} that says what is wrong with it and does not repeat it. */
    public static CallbackUrl parse(String text) {
        if (text.length() > CHARACTERS_MAX) {
            throw new IllegalArgumentException("must have at most " + CHARACTERS_MAX + " characters");
        }
        if (!text.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("must be a URL in ASCII; encode other characters");
        }
        if (TokenText.isIn(text)) {
            throw new IllegalArgumentException("holds a token of this plane; revoke that token");
        }
        URI uri = uri(text);
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        if (!scheme.equals("https") && !scheme.equals("http")) {
            throw new IllegalArgumentException("must be an absolute URL with https");
        }
        if (uri.getHost() == null || uri.getRawUserInfo() != null || uri.getRawFragment() != null) {
            throw new IllegalArgumentException("must have a host, and neither a user nor a fragment");
        }
        boolean https = scheme.equals("https");
        int standard = https ? HTTPS_PORT : HTTP_PORT;
        String path = uri.getRawPath().isEmpty() ? "/" : uri.getRawPath();
        return new CallbackUrl(
                https,
                NetworkHost.requested(uri.getHost(), uri.getPort() == -1 ? standard : uri.getPort()),
                uri.getRawQuery() == null ? path : path + "?" + uri.getRawQuery());
    }

    private static URI uri(String text) {
        try {
            return new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("is not a URL", e);
        }
    }

    /** The whole of it, for the database and the request line. */
    String reveal() {
        return origin() + target;
    }

    /** What may be shown and recorded of it. */
    String origin() {
        return (https ? "https://" : "http://") + host;
    }

    @Override
    public String toString() {
        return origin();
    }
}
