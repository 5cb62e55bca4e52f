package io.aiel.plane.gateway.integration;

import io.vertx.core.buffer.Buffer;
import java.util.Map;
import java.util.Optional;

/**
 * A request that may leave: its host by name, its path and query as they are sent, its headers checked. It can hold credentials, so {@link
 * #toString} shows none of that.
 *
 * @param target path and query
 */
record OutboundRequest(String method, BaseUrl to, String target, Map<String, String> headers, Optional<Buffer> body) {
    private static final int TARGET_CHARACTERS_MAX = 8_192;
    private static final int HEADER_CHARACTERS_MAX = 8_192;

    OutboundRequest {
        headers = Map.copyOf(headers);
        if (target.length() > TARGET_CHARACTERS_MAX) {
            throw new IllegalArgumentException(
                    "path and query have more than " + TARGET_CHARACTERS_MAX + " characters together; send less");
        }
        // The last look before it is written: one line is one line.
        if (!target.startsWith("/") || !target.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("path and query must be encoded");
        }
        headers.forEach(OutboundRequest::checkHeader);
    }

    private static void checkHeader(String name, String value) {
        if (!isToken(name)) {
            throw new IllegalArgumentException("the name of a header has a character that such names cannot have");
        }
        if (value.length() > HEADER_CHARACTERS_MAX || !value.chars().allMatch(c -> c >= ' ' && c < 0x7f)) {
            throw new IllegalArgumentException("the value of the header " + name
                    + " is too long, or has a line break or a character that is not ASCII");
        }
    }

    /** A name as RFC 9110 (5.6.2) has them. */
    static boolean isToken(String text) {
        return !text.isEmpty()
                && text.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
    }

    @Override
    public String toString() {
        return "OutboundRequest(" + method + " " + to.origin() + ")";
    }
}
