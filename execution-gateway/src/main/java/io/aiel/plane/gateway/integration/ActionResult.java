package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Optional;

/** What became of a call of an outside system. */
sealed interface ActionResult {
    /** It answered; {@code result} is what the caller gets. */
    record Done(ObjectNode result) implements ActionResult {}

    /**
     * It refused, or was never reached. Nothing was changed there, as far as it says.
     *
     * @param code stable, lower case, such as {@code rate_limited}, {@code invalid_auth}, {@code address_refused}, {@code provider_error}
     * @param message without secrets, and what to do
     * @param status the HTTP status for the caller: 400, 403, 404, 409, 422, 429, 502 or 504
     */
    record Refused(String code, String message, int status, Optional<Duration> retryAfter) implements ActionResult {}

    /** A refusal that says nothing of when to try again. */
    static Refused refused(String code, String message, int status) {
        return new Refused(code, message, status, Optional.empty());
    }

    /** The request left and no answer came: whether it took effect is not known. */
    record Unknown(String message) implements ActionResult {}
}
