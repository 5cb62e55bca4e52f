package io.aiel.plane.policy;

import org.jspecify.annotations.Nullable;

/** A compiled policy cannot be used: it is not what its description says, or it asks for what this engine does not have. */
final class PolicyInvalid extends RuntimeException {
    PolicyInvalid(String message) {
        this(message, null);
    }

    PolicyInvalid(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
