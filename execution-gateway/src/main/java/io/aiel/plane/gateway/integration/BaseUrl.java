package io.aiel.plane.gateway.integration;

import io.aiel.plane.vocabulary.NetworkHost;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Set;

/**
 * Where an outside system is: its host by name, never by address, and the path that those of its actions begin with. One reading of it:
 * what was checked is what is connected to.
 *
 * @param path empty, or begins with a slash and does not end with one
 */
record BaseUrl(boolean https, NetworkHost host, String path) {
    private static final int CHARACTERS_MAX = 1_024;
    private static final int HTTPS_PORT = 443;
    private static final int HTTP_PORT = 80;

    /**
     * Reads a URL; throws {@link IllegalArgumentException} that says what is wrong with it and does not repeat it.
     *
     * @param privateHosts names that the operator allowed; only those may be called without TLS
     */
    static BaseUrl parse(String text, Set<String> privateHosts) {
        if (text.length() > CHARACTERS_MAX) {
            throw new IllegalArgumentException("must have at most " + CHARACTERS_MAX + " characters");
        }
        if (!text.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("must be a URL in ASCII");
        }
        URI uri = uri(text);
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        boolean https = scheme.equals("https");
        if (!https && !scheme.equals("http")) {
            throw new IllegalArgumentException("must be an absolute URL with https");
        }
        if (uri.getHost() == null
                || uri.getRawUserInfo() != null
                || uri.getRawFragment() != null
                || uri.getRawQuery() != null) {
            throw new IllegalArgumentException("must have a host, and no user, query or fragment");
        }
        int standard = https ? HTTPS_PORT : HTTP_PORT;
        NetworkHost host = NetworkHost.requested(uri.getHost(), uri.getPort() == -1 ? standard : uri.getPort());
        if (!https && !privateHosts.contains(host.name())) {
            throw new IllegalArgumentException(
                    "must be https, except for names that the operator of this server allowed (plane.integration.private-hosts)");
        }
        String path = uri.getRawPath();
        String bare = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
        if (bare.endsWith("/")) {
            throw new IllegalArgumentException("must not have a path that ends in two slashes");
        }
        return new BaseUrl(https, host, bare.isEmpty() ? "" : RequestPath.canonical(bare));
    }

    private static URI uri(String text) {
        try {
            return new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("is not a URL", e);
        }
    }

    /** The same host without the path. */
    BaseUrl root() {
        return new BaseUrl(https, host, "");
    }

    /** Scheme, host and port. */
    String origin() {
        return (https ? "https://" : "http://") + host;
    }

    @Override
    public String toString() {
        return origin() + path;
    }
}
