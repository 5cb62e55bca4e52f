package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.ErrorCode;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The registry does not do what was asked, for a reason that the caller may see. Knows no HTTP. Has no stack trace; it is an
 * answer, not a fault. Immutable.
 */
public final class RegistryRefusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final transient Map<String, Object> details;

    public RegistryRefusal(ErrorCode code, String detail) {
        this(code, detail, Map.of());
    }

    /**
     * A refusal with details.
     *
     * @param details values of JSON kinds only
     */
    public RegistryRefusal(ErrorCode code, String detail, Map<String, Object> details) {
        super(Objects.requireNonNull(detail, "detail"), null, false, false);
        this.code = Objects.requireNonNull(code, "code");
        this.details = Collections.unmodifiableMap(new LinkedHashMap<>(details));
    }

    /** The one answer for what is not there or belongs to somebody else. */
    public static RegistryRefusal notFound() {
        return new RegistryRefusal(
                ErrorCode.NOT_FOUND, "Nothing with this address exists that this token may know of.");
    }

    public ErrorCode code() {
        return code;
    }

    /** What is wrong this time, for a person. */
    public String detail() {
        return Objects.requireNonNull(getMessage());
    }

    public Map<String, Object> details() {
        return details;
    }
}
