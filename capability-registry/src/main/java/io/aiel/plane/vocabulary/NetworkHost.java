package io.aiel.plane.vocabulary;

import java.util.Locale;
import java.util.regex.Pattern;

/**
 * A host that may be reached, by its name and at one port. Only a DNS name in its canonical form: lower case, ASCII (other scripts in
 * their {@code xn--} form), no dot at the end, no wildcard, and nothing that a resolver could read as an address.
 */
public record NetworkHost(String name, int port) {
    private static final int NAME_CHARACTERS_MAX = 253;
    private static final Pattern NAME =
            Pattern.compile("[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*");
    /** What {@code inet_aton} and the URL standard read as (the end of) an IPv4 address, such as {@code 127.1} or {@code 0x7f000001}. */
    private static final Pattern NUMBER_AT_THE_END = Pattern.compile("(.*\\.)?([0-9]+|0x[0-9a-f]*)");

    /** @throws IllegalArgumentException when it is not of this form */
    public NetworkHost {
        if (name.length() > NAME_CHARACTERS_MAX || !NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("a host is a lower-case DNS name, such as api.example.com");
        }
        if (NUMBER_AT_THE_END.matcher(name).matches()) {
            throw new IllegalArgumentException("a host is a name and not an address");
        }
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("a port is a number from 1 to 65535");
        }
    }

    /** Reads {@code name:port}, exactly as {@link #toString} writes it; throws {@link IllegalArgumentException}. */
    public static NetworkHost parse(String text) {
        int colon = text.lastIndexOf(':');
        String digits = text.substring(colon + 1);
        if (colon < 1 || digits.length() > 5 || !digits.matches("[1-9][0-9]*")) {
            throw new IllegalArgumentException("a host is written name:port, such as api.example.com:443");
        }
        return new NetworkHost(text.substring(0, colon), Integer.parseInt(digits));
    }

    /** The same host as a client may write it: in any case, with the root's dot; throws {@link IllegalArgumentException}. */
    public static NetworkHost requested(String name, int port) {
        String lower = name.toLowerCase(Locale.ROOT);
        return new NetworkHost(lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower, port);
    }

    @Override
    public String toString() {
        return name + ":" + port;
    }
}
