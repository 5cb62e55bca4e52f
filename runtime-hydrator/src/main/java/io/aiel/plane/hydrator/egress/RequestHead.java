package io.aiel.plane.hydrator.egress;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The head of a request to an HTTP proxy (RFC 9112): {@code CONNECT host:port}, or a method with an absolute {@code http://} URI. Strict
 * where leniency has been used for smuggling: line ends are CR LF, no folded lines, one Host, one framing. Pure.
 *
 * @param method a token
 * @param host as it was written, without the port
 * @param path path and query; empty for CONNECT
 * @param headers in order, as they came
 * @param contentLength of the body, when it says so
 * @param chunked whether the body comes in chunks
 */
record RequestHead(
        String method,
        String host,
        int port,
        String path,
        List<Header> headers,
        Optional<Long> contentLength,
        boolean chunked) {
    /** The most bytes of a head. */
    static final int BYTES_MAX = 32 * 1024;

    private static final int HEADERS_MAX = 128;
    private static final String TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
    private static final Pattern REQUEST_LINE = Pattern.compile("(" + TOKEN + ") ([\\x21-\\x7E]+) HTTP/1\\.[01]");
    private static final Pattern HEADER = Pattern.compile("(" + TOKEN + "):[ \\t]*(.*?)[ \\t]*", Pattern.DOTALL);
    private static final Pattern AUTHORITY =
            Pattern.compile("(\\[[0-9A-Fa-f:.%]+]|[^:@/\\[\\]\\\\]+)(?::([0-9]{1,5}))?");
    private static final Pattern ABSOLUTE = Pattern.compile("(?i:http)://([^/?#]*)([/?][^#]*)?");
    /** Not passed on: they concern the connection to the proxy (RFC 9110, section 7.6.1). */
    private static final Set<String> HOP_BY_HOP = Set.of(
            "connection",
            "proxy-connection",
            "proxy-authorization",
            "keep-alive",
            "te",
            "trailer",
            "upgrade",
            "http2-settings");

    RequestHead {
        headers = List.copyOf(headers);
    }

    /** One line of the head. */
    record Header(String name, String value) {
        boolean is(String other) {
            return name.equalsIgnoreCase(other);
        }
    }

    /** What is wrong with a head. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient boolean mismatch;

        Malformed(String why) {
            this(why, false);
        }

        private Malformed(String why, boolean mismatch) {
            super(why);
            this.mismatch = mismatch;
        }

        /** Whether all that is wrong is that Host and URI name different hosts. */
        boolean mismatch() {
            return mismatch;
        }
    }

    /** Where the head ends (behind its empty line) in the first {@code length} bytes; -1 when it does not yet. */
    static int end(byte[] bytes, int length) {
        for (int i = 3; i < length; i++) {
            if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n' && bytes[i - 3] == '\r') {
                return i + 1;
            }
        }
        return -1;
    }

    boolean connect() {
        return method.equals("CONNECT");
    }

    /** Reads a head that {@link #end} found whole. */
    static RequestHead read(byte[] bytes, int length) throws Malformed {
        for (int i = 0; i < length; i++) {
            byte b = bytes[i];
            boolean lineEnd = (b == '\r' && i + 1 < length && bytes[i + 1] == '\n')
                    || (b == '\n' && i > 0 && bytes[i - 1] == '\r');
            if ((b >= 0 && b < ' ' && b != '\t' && !lineEnd) || b == 0x7F) {
                throw new Malformed("a control character in the head");
            }
        }
        String[] lines = new String(bytes, 0, length - 4, StandardCharsets.ISO_8859_1).split("\r\n", -1);
        Matcher line = REQUEST_LINE.matcher(lines[0]);
        if (!line.matches()) {
            throw new Malformed("the request line is not 'METHOD target HTTP/1.1'");
        }
        List<Header> headers = headers(lines);
        String method = line.group(1);
        boolean connect = method.equals("CONNECT");
        String target = line.group(2);
        String path = "";
        String authority = target;
        if (!connect) {
            Matcher absolute = ABSOLUTE.matcher(target);
            if (!absolute.matches()) {
                throw new Malformed("the target is not an absolute http:// URI");
            }
            authority = absolute.group(1);
            String rest = absolute.group(2);
            path = rest == null ? "/" : rest.startsWith("?") ? "/" + rest : rest;
        }
        int defaultPort = connect ? -1 : 80;
        Place place = place(authority, defaultPort, "the target");
        checkHost(headers, place, connect ? 443 : 80, connect);
        Optional<Long> contentLength = contentLength(headers);
        boolean chunked = chunked(headers);
        if (chunked && contentLength.isPresent()) {
            throw new Malformed("both Content-Length and Transfer-Encoding");
        }
        if (connect && (chunked || contentLength.orElse(0L) != 0)) {
            throw new Malformed("CONNECT with a body");
        }
        return new RequestHead(method, place.host(), place.port(), path, headers, contentLength, chunked);
    }

    private record Place(String host, int port) {
        boolean same(Place other) {
            return plain(host).equals(plain(other.host)) && port == other.port;
        }

        private static String plain(String name) {
            String lower = name.toLowerCase(Locale.ROOT);
            return lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
        }
    }

    private static List<Header> headers(String[] lines) throws Malformed {
        if (lines.length - 1 > HEADERS_MAX) {
            throw new Malformed("more than " + HEADERS_MAX + " header lines");
        }
        List<Header> headers = new ArrayList<>(lines.length - 1);
        for (int i = 1; i < lines.length; i++) {
            Matcher header = HEADER.matcher(lines[i]);
            if (!header.matches()) {
                throw new Malformed("a header line that is not 'name: value'");
            }
            headers.add(new Header(header.group(1), header.group(2)));
        }
        return headers;
    }

    private static Place place(String authority, int defaultPort, String what) throws Malformed {
        Matcher parts = AUTHORITY.matcher(authority);
        if (!parts.matches()) {
            throw new Malformed(what + " is not host:port");
        }
        String digits = parts.group(2);
        if (digits == null && defaultPort < 0) {
            throw new Malformed(what + " has no port");
        }
        int port = digits == null ? defaultPort : Integer.parseInt(digits);
        if (port < 1 || port > 65_535) {
            throw new Malformed(what + " has a port that is none");
        }
        return new Place(parts.group(1), port);
    }

    /** Some clients send CONNECT without a Host; for the other methods it must be there. */
    private static void checkHost(List<Header> headers, Place target, int defaultPort, boolean optional)
            throws Malformed {
        List<Header> hosts = headers.stream().filter(h -> h.is("host")).toList();
        if (hosts.isEmpty() && optional) {
            return;
        }
        if (hosts.size() != 1) {
            throw new Malformed(hosts.isEmpty() ? "no Host header" : "more than one Host header");
        }
        String written = hosts.getFirst().value();
        Place host = place(written, defaultPort, "the Host header");
        // A Host without a port beside CONNECT says nothing about the port.
        boolean bare = optional && !written.matches(".*:[0-9]+");
        if (!host.same(target) && !(bare && new Place(host.host(), target.port()).same(target))) {
            throw new Malformed("the Host header names another host than the target", true);
        }
    }

    private static Optional<Long> contentLength(List<Header> headers) throws Malformed {
        List<Header> lengths =
                headers.stream().filter(h -> h.is("content-length")).toList();
        if (lengths.isEmpty()) {
            return Optional.empty();
        }
        if (lengths.size() > 1 || !lengths.getFirst().value().matches("[0-9]{1,15}")) {
            throw new Malformed("a Content-Length that is not one number");
        }
        return Optional.of(Long.parseLong(lengths.getFirst().value()));
    }

    private static boolean chunked(List<Header> headers) throws Malformed {
        List<Header> encodings =
                headers.stream().filter(h -> h.is("transfer-encoding")).toList();
        if (encodings.isEmpty()) {
            return false;
        }
        if (encodings.size() > 1 || !encodings.getFirst().value().equalsIgnoreCase("chunked")) {
            throw new Malformed("a Transfer-Encoding that is not chunked alone");
        }
        return true;
    }

    /** The head as the server gets it: its own path, nothing that concerns this proxy, and the wish to close after the answer. */
    byte[] forServer() {
        Set<String> dropped = new HashSet<>(HOP_BY_HOP);
        for (Header header : headers) {
            if (header.is("connection") || header.is("proxy-connection")) {
                for (String named : header.value().split(",", -1)) {
                    dropped.add(named.strip().toLowerCase(Locale.ROOT));
                }
            }
        }
        // What frames the request and says whom it is for is not the client's to take away.
        dropped.removeAll(Set.of("host", "content-length", "transfer-encoding"));
        StringBuilder head = new StringBuilder(method).append(' ').append(path).append(" HTTP/1.1\r\n");
        for (Header header : headers) {
            if (!dropped.contains(header.name().toLowerCase(Locale.ROOT))) {
                head.append(header.name()).append(": ").append(header.value()).append("\r\n");
            }
        }
        return head.append("Connection: close\r\n\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    }
}
