package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.Supplier;

/** What comes in headers and query parameters and goes on into logs, records and answers: fit for them, or refused or replaced. */
public final class HeadersFuzz {
    private HeadersFuzz() {}

    /** The value of a header or parameter. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        String id = RequestIds.choose(text);
        require(!id.isEmpty() && id.length() <= 128, "a request has an id, and a short one");
        require(
                id.chars().allMatch(c -> c > 0x20 && c < 0x7f && c != '"' && c != '\\'),
                "one that a log line can hold");
        String traceparent = RequestIds.traceparent(text);
        if (!traceparent.isEmpty()) {
            require(traceparent.equals(text) && text.length() == 55, "W3C trace context, version 00");
            require(!text.startsWith("0".repeat(32), 3) && !text.startsWith("0".repeat(16), 36), "ids that are none");
        }
        Optional<String> cursor = refusable(() -> Pages.cursor("snap", text)).flatMap(found -> found);
        cursor.ifPresent(
                found -> require(found.equals(text) && found.matches("snap_[0-9a-f]{32}"), "a cursor is an id"));
        Optional<Integer> limit = refusable(() -> Pages.limit(text));
        limit.ifPresent(found -> require(found >= 1 && found <= 200, "a page has an end"));
    }

    private static <T> Optional<T> refusable(Supplier<T> reader) {
        try {
            return Optional.of(reader.get());
        } catch (Refusal refused) {
            require(refused.code() == ErrorCode.VALIDATION_ERROR, "the caller's mistake");
            return Optional.empty();
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
