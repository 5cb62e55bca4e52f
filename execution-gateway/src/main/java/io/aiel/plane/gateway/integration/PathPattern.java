package io.aiel.plane.gateway.integration;

import java.util.List;

/**
 * Paths that a connection allows: segments as they are, {@code *} for any one segment, {@code **} at the end for one or more. Compared with
 * canonical paths only.
 */
record PathPattern(List<String> segments) {
    private static final String ANY = "*";
    private static final String REST = "**";

    PathPattern {
        segments = List.copyOf(segments);
    }

    /** Reads one; throws {@link IllegalArgumentException} that says what is wrong with it. */
    static PathPattern parse(String text) {
        List<String> segments = RequestPath.segments(RequestPath.canonical(text));
        for (int i = 0; i < segments.size(); i++) {
            String segment = segments.get(i);
            boolean wild = segment.equals(ANY) || (segment.equals(REST) && i == segments.size() - 1);
            if (segment.contains(ANY) && !wild) {
                throw new IllegalArgumentException(
                        "a star is a whole segment of an allowed path, and two are its last");
            }
        }
        return new PathPattern(segments);
    }

    /** Whether it allows this canonical path. */
    boolean allows(String path) {
        List<String> asked = RequestPath.segments(path);
        int last = segments.size() - 1;
        boolean open = segments.get(last).equals(REST);
        if (open ? asked.size() < segments.size() : asked.size() != segments.size()) {
            return false;
        }
        for (int i = 0; i < (open ? last : segments.size()); i++) {
            String wanted = segments.get(i);
            if (!(wanted.equals(ANY) ? !asked.get(i).isEmpty() : wanted.equals(asked.get(i)))) {
                return false;
            }
        }
        return true;
    }
}
