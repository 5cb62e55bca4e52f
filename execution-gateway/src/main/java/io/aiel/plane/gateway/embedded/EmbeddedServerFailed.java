package io.aiel.plane.gateway.embedded;

import org.jspecify.annotations.Nullable;

/** An embedded PostgreSQL or Kafka could not be installed, started or stopped; the message says what to do. */
public final class EmbeddedServerFailed extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * Reports a failure.
     *
     * @param message what failed and what to do about it, safe to show
     */
    public EmbeddedServerFailed(String message) {
        super(message);
    }

    /**
     * Reports a failure with its cause.
     *
     * @param message what failed and what to do about it, safe to show
     * @param cause the underlying error
     */
    public EmbeddedServerFailed(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
