package io.aiel.plane.gateway.integration;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Paths of requests, in the one spelling in which they are compared with what is allowed and in which they are sent. What servers are known
 * to read in more than one way is refused instead of repaired: dot segments in any encoding, empty segments, encoded slashes, text that is
 * encoded twice. All methods are total but for {@link IllegalArgumentException}, which never repeats the text.
 */
final class RequestPath {
    private static final int CHARACTERS_MAX = 2_048;
    private static final String HEX = "0123456789ABCDEF";
    private static final String UNRESERVED_MARKS = "-._~";
    private static final String SEGMENT_MARKS = "!$&'()*+,;=:@";

    private RequestPath() {}

    /** The canonical spelling of a path that a caller wrote. */
    static String canonical(String path) {
        if (path.length() > CHARACTERS_MAX) {
            throw new IllegalArgumentException("the path has more than " + CHARACTERS_MAX + " characters");
        }
        if (!path.startsWith("/")) {
            throw new IllegalArgumentException("the path must begin with a slash; a URL is not one");
        }
        StringBuilder canonical = new StringBuilder(path.length());
        List<String> segments = segments(path);
        for (int i = 0; i < segments.size(); i++) {
            String segment = segments.get(i);
            if (segment.isEmpty() && i < segments.size() - 1) {
                throw new IllegalArgumentException("the path has an empty segment");
            }
            canonical.append('/').append(canonicalSegment(segment));
        }
        return canonical.toString();
    }

    /** The parts between the slashes of a path that begins with one. */
    static List<String> segments(String path) {
        List<String> segments = new ArrayList<>();
        int from = 1;
        for (int slash = path.indexOf('/', from); slash >= 0; slash = path.indexOf('/', from)) {
            segments.add(path.substring(from, slash));
            from = slash + 1;
        }
        segments.add(path.substring(from));
        return segments;
    }

    /** A value as one segment. One with a slash is refused instead of encoded: there are servers that decode first and split then. */
    static String segment(String value) {
        if (value.isEmpty() || value.indexOf('/') >= 0 || value.indexOf('\\') >= 0) {
            throw new IllegalArgumentException("a part of the path is empty, or has a slash or a backslash");
        }
        refuseControls(value);
        refuseDots(value);
        return encoded(value);
    }

    /** A value percent-encoded for paths and queries: nothing but unreserved characters is left as it is. */
    static String encoded(String value) {
        StringBuilder encoded = new StringBuilder(value.length() + 16);
        for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
            append(encoded, b & 0xff);
        }
        return encoded.toString();
    }

    private static void append(StringBuilder to, int octet) {
        if (unreserved(octet)) {
            to.append((char) octet);
        } else {
            to.append('%').append(HEX.charAt(octet >> 4)).append(HEX.charAt(octet & 0xf));
        }
    }

    private static boolean unreserved(int c) {
        return (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c >= '0' && c <= '9')
                || (c < 0x80 && UNRESERVED_MARKS.indexOf(c) >= 0);
    }

    private static String canonicalSegment(String segment) {
        StringBuilder canonical = new StringBuilder(segment.length());
        ByteBuffer octets = ByteBuffer.allocate(segment.length());
        for (int i = 0; i < segment.length(); i++) {
            char c = segment.charAt(i);
            if (c == '%') {
                int octet = octet(segment, i + 1);
                octets.put((byte) octet);
                append(canonical, octet);
                i += 2;
            } else if (unreserved(c) || (c < 0x80 && SEGMENT_MARKS.indexOf(c) >= 0)) {
                octets.put((byte) c);
                canonical.append(c);
            } else {
                throw new IllegalArgumentException("the path has a character that must be percent-encoded");
            }
        }
        String decoded = utf8(octets.flip());
        if (decoded.indexOf('/') >= 0 || decoded.indexOf('\\') >= 0) {
            throw new IllegalArgumentException("the path has an encoded slash or a backslash");
        }
        if (encodedAgain(decoded)) {
            throw new IllegalArgumentException("the path is percent-encoded twice");
        }
        refuseControls(decoded);
        refuseDots(decoded);
        return canonical.toString();
    }

    private static int octet(String text, int at) {
        int high = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
        int low = at + 1 < text.length() ? Character.digit(text.charAt(at + 1), 16) : -1;
        // Character.digit also takes digits of other scripts.
        if (high < 0 || low < 0 || text.charAt(at) >= 0x80 || text.charAt(at + 1) >= 0x80) {
            throw new IllegalArgumentException("the path has a percent sign that encodes nothing");
        }
        return (high << 4) | low;
    }

    private static String utf8(ByteBuffer octets) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(octets)
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("the path is not UTF-8 when decoded", e);
        }
    }

    private static boolean encodedAgain(String decoded) {
        for (int i = decoded.indexOf('%'); i >= 0; i = decoded.indexOf('%', i + 1)) {
            if (i + 2 < decoded.length()
                    && Character.digit(decoded.charAt(i + 1), 16) >= 0
                    && Character.digit(decoded.charAt(i + 2), 16) >= 0) {
                return true;
            }
        }
        return false;
    }

    private static void refuseControls(String decoded) {
        if (decoded.chars().anyMatch(c -> c < 0x20 || (c >= 0x7f && c < 0xa0))) {
            throw new IllegalArgumentException("the path has a control character");
        }
    }

    /** Some servers cut a segment at a semicolon before they look at it. */
    private static void refuseDots(String decoded) {
        int semicolon = decoded.indexOf(';');
        String before = (semicolon < 0 ? decoded : decoded.substring(0, semicolon)).strip();
        if (before.equals(".") || before.equals("..")) {
            throw new IllegalArgumentException("the path has a dot segment");
        }
    }
}
