package io.aiel.plane.gateway.integration;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A key of a key management service with the transit API. Immutable.
 *
 * @param url without /v1
 * @param mount of the transit engine
 * @param key its name
 * @param tokenFile the file with the token
 * @param namespace empty: the root
 * @param caFile certificates that are trusted; empty means Java's
 * @param timeout for one request
 */
public record TransitSettings(
        URI url,
        String mount,
        String key,
        Path tokenFile,
        Optional<String> namespace,
        Optional<Path> caFile,
        Duration timeout) {
    static final String PREFIX = "plane.integration.transit.";
    private static final Duration TIMEOUT_MIN = Duration.ofMillis(100);
    private static final Duration TIMEOUT_MAX = Duration.ofSeconds(30);
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");
    // As the service has it for keys. No segment is a dot or two, so none leads to another path.
    private static final String SEGMENT = "\\w(?:[\\w.-]{0,126}\\w)?";
    private static final Pattern KEY = Pattern.compile(SEGMENT);
    private static final Pattern PATH = Pattern.compile(SEGMENT + "(?:/" + SEGMENT + "){0,7}");
    private static final Pattern URL_PATH = Pattern.compile("(?:/" + SEGMENT + "){0,7}/?");

    /** Throws {@link IllegalArgumentException} that says which setting is wrong. */
    public TransitSettings {
        String scheme = String.valueOf(url.getScheme()).toLowerCase(Locale.ROOT);
        String host = String.valueOf(url.getHost());
        if (url.getHost() == null
                || url.getRawUserInfo() != null
                || url.getRawQuery() != null
                || url.getRawFragment() != null
                || !URL_PATH.matcher(url.getRawPath()).matches()) {
            throw wrong("url", "must be a URL with a host, and without user, query and fragment");
        }
        if (!scheme.equals("https") && !(scheme.equals("http") && LOOPBACK.contains(host))) {
            throw wrong("url", "must be https; http is for localhost, 127.0.0.1 and [::1] alone");
        }
        if (!PATH.matcher(mount).matches()) {
            throw wrong("mount", "is no path of a mount");
        }
        if (!KEY.matcher(key).matches()) {
            throw wrong("key", "is no name of a key");
        }
        if (namespace.isPresent() && !PATH.matcher(namespace.get()).matches()) {
            throw wrong("namespace", "is no path of a namespace");
        }
        if (timeout.compareTo(TIMEOUT_MIN) < 0 || timeout.compareTo(TIMEOUT_MAX) > 0) {
            throw wrong("timeout", "must be between " + TIMEOUT_MIN + " and " + TIMEOUT_MAX);
        }
    }

    /**
     * What is configured; empty when nothing is.
     *
     * @throws IllegalArgumentException that says which setting is wrong or missing
     */
    public static Optional<TransitSettings> of(TransitConfig config) {
        if (config.url().isEmpty()
                && config.key().isEmpty()
                && config.tokenFile().isEmpty()
                && config.namespace().isEmpty()
                && config.caFile().isEmpty()) {
            return Optional.empty();
        }
        Set<String> missing = new TreeSet<>();
        if (config.url().isEmpty()) {
            missing.add(PREFIX + "url");
        }
        if (config.key().isEmpty()) {
            missing.add(PREFIX + "key");
        }
        if (config.tokenFile().isEmpty()) {
            missing.add(PREFIX + "token-file");
        }
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException(
                    "plane.integration.transit needs as well: " + String.join(", ", missing));
        }
        return Optional.of(new TransitSettings(
                uri(config.url().orElseThrow()),
                config.mount(),
                config.key().orElseThrow(),
                config.tokenFile().orElseThrow(),
                config.namespace(),
                config.caFile(),
                config.timeout()));
    }

    private static URI uri(String text) {
        try {
            return new URI(text);
        } catch (URISyntaxException _) {
            // Its message repeats the text, which may have a password in it.
            throw wrong("url", "is not a URL");
        }
    }

    static IllegalArgumentException wrong(String setting, String what) {
        return new IllegalArgumentException(PREFIX + setting + ": " + what);
    }

    boolean https() {
        return "https".equalsIgnoreCase(url.getScheme());
    }

    int port() {
        int standard = https() ? 443 : 80;
        return url.getPort() == -1 ? standard : url.getPort();
    }

    /** Without the brackets of an address. */
    String host() {
        return url.getHost().replaceAll("[\\[\\]]", "");
    }

    /** What paths of the engine begin with. */
    String root() {
        return url.getRawPath().replaceFirst("/$", "") + "/v1/" + mount;
    }
}
