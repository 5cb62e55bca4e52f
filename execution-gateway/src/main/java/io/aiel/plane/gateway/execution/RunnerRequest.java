package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.callback.CallbackWish;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.CapabilityRef;
import java.util.Locale;
import java.util.Optional;

/**
 * A runner request of the wire contract after it was read and checked.
 *
 * @param capability what is invoked; empty for {@code describe} and {@code execute}
 * @param target the environment or snapshot to run from
 * @param arguments what the handler gets: the event, the HTTP request or the MCP arguments
 * @param timeoutMs what the caller asked for, milliseconds
 * @param requestId the caller's {@code meta.request_id}, if any
 * @param idempotencyKey the caller's {@code meta.idempotency_key}, if any
 * @param queueing what the caller asks of the queue, if anything
 * @param callback where the end of a queued execution is to be told, if anywhere
 * @param keepInput whether the input is to be kept, so that it can be run again
 * @param document the request in its newest form (legacy names replaced), as the worker gets it
 */
public record RunnerRequest(
        Action action,
        Optional<CapabilityRef> capability,
        Target target,
        JsonNode arguments,
        int timeoutMs,
        Optional<String> requestId,
        Optional<String> idempotencyKey,
        boolean wantsNetwork,
        boolean wantsSubprocess,
        Optional<Queueing> queueing,
        Optional<CallbackWish> callback,
        boolean keepInput,
        ObjectNode document) {

    /** What a runner can be asked to do. */
    public enum Action {
        DESCRIBE,
        INVOKE,
        EXECUTE;

        /** The lower-case name used on the wire. */
        public String wireName() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
