package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.Optional;

/**
 * One call of an outside system, decided and recorded, its parameters checked against the action's schema.
 *
 * @param project whose connection it is
 * @param connection id of the connection
 * @param provider such as {@code slack}
 * @param action such as {@code slack.post_message}
 * @param settings the connection's settings, checked against the provider's schema
 * @param credentials what opens the system; never logged, recorded or answered
 * @param params the action's parameters
 * @param timeout how long the whole call may take
 * @param idempotencyKey the caller's, to be passed on where the system understands one
 * @param deltas who takes the pieces of an answer that comes in pieces
 */
record ActionRequest(
        ProjectId project,
        String connection,
        String provider,
        String action,
        ObjectNode settings,
        ObjectNode credentials,
        ObjectNode params,
        Duration timeout,
        Optional<String> idempotencyKey,
        Deltas deltas) {
    @Override
    public String toString() {
        return "ActionRequest(" + connection + ", " + action + ")";
    }
}
