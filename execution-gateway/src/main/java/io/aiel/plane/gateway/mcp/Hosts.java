package io.aiel.plane.gateway.mcp;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which {@code Host} and {@code Origin} a request may carry, so that a page whose name was made to lead to this server (DNS rebinding)
 * cannot call it from somebody's browser. Immutable.
 */
final class Hosts {
    private static final String ANY = "*";
    private static final Pattern AUTHORITY = Pattern.compile("(\\[[0-9A-Fa-f:.]+]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?");

    private final Set<String> names;
    private final Set<String> origins;

    /**
     * @param names without port, IPv6 addresses in brackets; {@code *} for any
     * @param origins beside those of the names themselves
     */
    Hosts(List<String> names, List<String> origins) {
        this.names = lowerCase(names);
        this.origins = lowerCase(origins);
    }

    private static Set<String> lowerCase(List<String> texts) {
        return texts.stream().map(text -> text.strip().toLowerCase(Locale.ROOT)).collect(Collectors.toSet());
    }

    /** @param authority the value of {@code Host}; empty text when there is none */
    boolean allowsHost(String authority) {
        Matcher parts = AUTHORITY.matcher(authority);
        return parts.matches()
                && (names.contains(ANY) || names.contains(parts.group(1).toLowerCase(Locale.ROOT)));
    }

    /**
     * Whether a page of this origin may call.
     *
     * @param own the server's own origin, as the request with an allowed {@code Host} names it
     */
    boolean allowsOrigin(String origin, String own) {
        String sent = origin.toLowerCase(Locale.ROOT);
        return sent.equals(own.toLowerCase(Locale.ROOT)) || origins.contains(sent);
    }
}
