package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;

/** Credentials can neither be sealed nor opened as things are; the message says what is to be done, and holds no secret. */
final class CredentialsUnavailable extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int RETRY_AFTER_S = 2;

    private final boolean forNow;

    CredentialsUnavailable(String message) {
        this(message, false);
    }

    private CredentialsUnavailable(String message, boolean forNow) {
        super(message, null, false, false);
        this.forNow = forNow;
    }

    /** Nothing is wrong with the credentials: what holds their key cannot be asked now. */
    static CredentialsUnavailable forNow(String message) {
        return new CredentialsUnavailable(message, true);
    }

    /** Whether the same can go well later, with nobody changing anything of the connection. */
    boolean isForNow() {
        return forNow;
    }

    /** As the answer to whoever asked. */
    Refusal refusal() {
        String message = String.valueOf(getMessage());
        return forNow
                ? new Refusal(ErrorCode.NOT_READY, message).retryAfter(RETRY_AFTER_S)
                : new Refusal(ErrorCode.CONNECTION_UNUSABLE, message);
    }
}
