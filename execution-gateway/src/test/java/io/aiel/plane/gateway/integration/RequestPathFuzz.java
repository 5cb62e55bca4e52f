package io.aiel.plane.gateway.integration;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;

/** Hosts and paths that others name: refused by what is wrong with them, or one spelling that stays below where it was allowed. */
public final class RequestPathFuzz {
    private static final Set<String> NOBODY = Set.of();

    private RequestPathFuzz() {}

    /** The first line is a base URL, the rest a path. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        int line = text.indexOf('\n');
        base(line < 0 ? text : text.substring(0, line));
        path(line < 0 ? text : text.substring(line + 1));
        segment(text);
    }

    private static void base(String text) {
        BaseUrl url;
        try {
            url = BaseUrl.parse(text, NOBODY);
        } catch (IllegalArgumentException refused) {
            require(
                    text.length() < 12 || !String.valueOf(refused.getMessage()).contains(text),
                    "an error that does not repeat it");
            return;
        }
        require(url.https(), "TLS, where nobody allowed a name without");
        require(url.host().name().matches("[a-z0-9_.-]*[a-z_-][a-z0-9_.-]*"), "a name and no address");
        require(
                url.path().isEmpty()
                        || (url.path().startsWith("/") && !url.path().startsWith("//")),
                "a path");
        require(BaseUrl.parse(url.toString(), NOBODY).equals(url), "what is kept reads as the same");
    }

    private static void path(String text) {
        String path;
        try {
            path = RequestPath.canonical(text);
        } catch (IllegalArgumentException refused) {
            require(
                    text.length() < 12 || !String.valueOf(refused.getMessage()).contains(text),
                    "an error that does not repeat it");
            return;
        }
        require(
                path.chars().allMatch(c -> c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '\\'),
                "one line, and a path only");
        require(RequestPath.canonical(path).equals(path), "the canonical spelling of itself");
        require(
                URI.create("https://host.test" + path).normalize().getRawPath().equals(path),
                "nothing that normalising changes");
        String decoded = URLDecoder.decode(path.replace("+", "%2B"), StandardCharsets.UTF_8);
        List<String> read = RequestPath.segments(decoded);
        require(read.size() == RequestPath.segments(path).size(), "as many segments when it is decoded first");
        require(read.stream().noneMatch(part -> Set.of(".", "..").contains(part)), "no dot segment when it is decoded");
        require(
                PathPattern.parse("/v1/**").allows(path) == path.startsWith("/v1/"),
                "what is allowed is what begins so");
    }

    private static void segment(String text) {
        String segment;
        try {
            segment = RequestPath.segment(text);
        } catch (IllegalArgumentException refused) {
            return;
        }
        require(segment.matches("[A-Za-z0-9._~%-]+"), "nothing that is not encoded");
        require(!segment.equals(".") && !segment.equals(".."), "no dot segment");
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
