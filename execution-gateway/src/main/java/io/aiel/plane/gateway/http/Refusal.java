package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * A request that is answered with an error document: the code, what is wrong this time, and what a program may read. Both the
 * detail and the details reach the caller, so neither may hold a secret or a cause of ours. Has no stack trace; it is an
 * answer, not a fault. Immutable.
 */
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final transient Map<String, Object> details;
    private final transient Map<String, String> headers;
    /** 0 for that of the code. */
    private final int status;

    /** A refusal without details. */
    public Refusal(ErrorCode code, String detail) {
        this(code, detail, Map.of());
    }

    /**
     * A refusal with details.
     *
     * @param details values of JSON kinds only: text, numbers, booleans, lists and maps of these
     */
    public Refusal(ErrorCode code, String detail, Map<String, Object> details) {
        this(code, detail, details, Map.of(), 0);
    }

    private Refusal(
            ErrorCode code, String detail, Map<String, Object> details, Map<String, String> headers, int status) {
        super(Objects.requireNonNull(detail, "detail"), null, false, false);
        this.code = Objects.requireNonNull(code, "code");
        this.details = Collections.unmodifiableMap(new LinkedHashMap<>(details));
        this.headers = Map.copyOf(headers);
        this.status = status;
    }

    /** The same refusal with one response header more, such as {@code Retry-After}. */
    public Refusal withHeader(String name, String value) {
        Map<String, String> more = new LinkedHashMap<>(headers);
        more.put(name, value);
        return new Refusal(code, detail(), details, more, status);
    }

    /** The same refusal with a status that an outside system chose. */
    public Refusal withStatus(int chosen) {
        return new Refusal(code, detail(), details, headers, chosen);
    }

    /** The same refusal with {@code Retry-After} in whole seconds. */
    public Refusal retryAfter(int seconds) {
        return withHeader("Retry-After", Integer.toString(seconds));
    }

    /**
     * The one answer for whatever is not there or belongs to somebody else. It is the same text each time, so that it cannot
     * tell an unknown id from another tenant's.
     */
    public static Refusal notFound() {
        return new Refusal(ErrorCode.NOT_FOUND, "Nothing with this address exists that this token may know of.");
    }

    /** The value that {@code parse} gives, or {@link #notFound()} when it is not one: for ids out of a path. */
    public static <T> T orNotFound(Supplier<T> parse) {
        try {
            return parse.get();
        } catch (IllegalArgumentException e) {
            throw notFound();
        }
    }

    /**
     * One field of the request is wrong.
     *
     * @param pointer JSON pointer (RFC 6901) into the body, or {@code query:<name>}
     * @param message what is wrong and what would be right
     */
    public static Refusal invalid(String pointer, String message) {
        return new Refusal(
                ErrorCode.VALIDATION_ERROR,
                pointer + ": " + message,
                Map.of("errors", java.util.List.of(Map.of("pointer", pointer, "message", message))));
    }

    /** Which error. */
    public ErrorCode code() {
        return code;
    }

    /** What is wrong this time, for a person. */
    public String detail() {
        return Objects.requireNonNull(getMessage());
    }

    /** What a program may read; never null, may be empty. */
    public Map<String, Object> details() {
        return details;
    }

    /** The status where it is not the code's. */
    public OptionalInt status() {
        return status == 0 ? OptionalInt.empty() : OptionalInt.of(status);
    }

    /** Response headers. */
    public Map<String, String> headers() {
        return headers;
    }
}
