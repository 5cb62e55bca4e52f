package io.aiel.plane.gateway.integration;

/** Credentials can neither be sealed nor opened as things are; the message says what is to be done, and holds no secret. */
final class CredentialsUnavailable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CredentialsUnavailable(String message) {
        super(message, null, false, false);
    }
}
