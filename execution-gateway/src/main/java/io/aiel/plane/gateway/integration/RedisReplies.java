package io.aiel.plane.gateway.integration;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Makes replies of the bytes that a Redis server sends (RESP2), in whatever parts they come. It keeps no more of them than it was told, and
 * takes no length on trust. Not thread-safe.
 */
final class RedisReplies {
    private static final int LINE_MAX = 4_096;
    private static final int DEPTH_MAX = 8;

    private static final int KEPT_BYTES = 1_024;

    /** The least that an item takes. */
    private static final int ITEM_BYTES = 4;

    private final int bytesMax;
    private final Deque<Open> open = new ArrayDeque<>();
    private byte[] bytes = new byte[KEPT_BYTES];
    private int from;
    private int to;
    // Up to here there is no end of the line that begins at from:
    private int searched;
    // Of the reply under way, its header read; -1: none
    private int bulk = -1;
    private int taken;

    /** What is not RESP. */
    static final class Invalid extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Invalid(String message) {
            super(message, null, false, false);
        }
    }

    /** More than is taken. */
    static final class TooLarge extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLarge() {
            super("a reply is larger than is taken", null, false, false);
        }
    }

    /** An array whose items are not all there. */
    private record Open(int wanted, List<RedisReply> items) {}

    /** @param bytesMax the most that all replies between two calls of {@link #start} may have */
    RedisReplies(int bytesMax) {
        this.bytesMax = bytesMax;
    }

    /** From now on the limit counts anew. */
    void start() {
        taken = 0;
    }

    /** The replies that are complete with this part. */
    List<RedisReply> feed(Buffer part) {
        take(part);
        List<RedisReply> complete = new ArrayList<>();
        for (Optional<RedisReply> next = next(); next.isPresent(); next = next()) {
            collect(next.get(), complete);
        }
        if (from == to && bytes.length > KEPT_BYTES) {
            // A connection that waits for its next call keeps no room for a large reply.
            bytes = new byte[KEPT_BYTES];
            from = 0;
            to = 0;
            searched = 0;
        }
        return complete;
    }

    private void take(Buffer part) {
        int length = part.length();
        if (length > bytesMax - taken) {
            throw new TooLarge();
        }
        taken += length;
        if (from > 0) {
            System.arraycopy(bytes, from, bytes, 0, to - from);
            to -= from;
            searched = Math.max(0, searched - from);
            from = 0;
        }
        if (bytes.length - to < length) {
            bytes = Arrays.copyOf(bytes, Math.max(to + length, Math.min(bytes.length * 2, bytesMax)));
        }
        part.getBytes(bytes, to);
        to += length;
    }

    /** Puts a reply where it belongs: into the array that is open, which may be complete with it. */
    private void collect(RedisReply reply, List<RedisReply> complete) {
        RedisReply whole = reply;
        while (!open.isEmpty()) {
            Open innermost = open.element();
            innermost.items().add(whole);
            if (innermost.items().size() < innermost.wanted()) {
                return;
            }
            open.remove();
            whole = new RedisReply.Items(innermost.items());
        }
        complete.add(whole);
    }

    /** The next one that is whole and no array, or an array without items. */
    private Optional<RedisReply> next() {
        while (bulk < 0) {
            int end = lineEnd();
            if (end < 0) {
                return Optional.empty();
            }
            Optional<RedisReply> reply =
                    line(bytes[from], new String(bytes, from + 1, end - from - 1, StandardCharsets.UTF_8));
            from = end + 2;
            searched = from;
            if (reply.isPresent()) {
                return reply;
            }
        }
        if (to - from < bulk + 2) {
            return Optional.empty();
        }
        if (bytes[from + bulk] != '\r' || bytes[from + bulk + 1] != '\n') {
            throw new Invalid("a text does not end where it was said to");
        }
        RedisReply reply = new RedisReply.Bytes(Buffer.buffer(Arrays.copyOfRange(bytes, from, from + bulk)));
        from += bulk + 2;
        searched = from;
        bulk = -1;
        return Optional.of(reply);
    }

    private int lineEnd() {
        for (int i = Math.max(from, searched); i < to - 1; i++) {
            if (bytes[i] == '\r' && bytes[i + 1] == '\n') {
                if (i == from) {
                    throw new Invalid("a line is empty");
                }
                return i;
            }
        }
        searched = Math.max(from, to - 1);
        if (to - from > LINE_MAX) {
            throw new Invalid("a line is longer than any that is known");
        }
        return -1;
    }

    /** What a line says; empty when it only announces what follows. */
    private Optional<RedisReply> line(byte kind, String rest) {
        return switch (kind) {
            case '+' -> Optional.of(new RedisReply.Word(rest));
            case '-' -> Optional.of(new RedisReply.Fault(rest));
            case ':' -> Optional.of(new RedisReply.Count(number(rest)));
            case '$' -> announced(length(rest, 1));
            case '*' -> opened(length(rest, ITEM_BYTES));
            default -> throw new Invalid("a reply is of no kind that is known");
        };
    }

    private Optional<RedisReply> announced(int length) {
        if (length < 0) {
            return Optional.of(new RedisReply.Nothing());
        }
        bulk = length;
        return Optional.empty();
    }

    private Optional<RedisReply> opened(int length) {
        if (length < 0) {
            return Optional.of(new RedisReply.Nothing());
        }
        if (length == 0) {
            return Optional.of(new RedisReply.Items(List.of()));
        }
        if (open.size() == DEPTH_MAX) {
            throw new Invalid("arrays are too deep");
        }
        open.push(new Open(length, new ArrayList<>()));
        return Optional.empty();
    }

    /** A length; -1 for nothing. What cannot come within the limit is refused before any of it is waited for. */
    private int length(String text, int bytesEach) {
        long length = number(text);
        if (length < -1) {
            throw new Invalid("a length is below zero");
        }
        if (length > bytesMax / bytesEach) {
            throw new TooLarge();
        }
        return (int) length;
    }

    private static long number(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new Invalid("a number is none");
        }
    }
}
