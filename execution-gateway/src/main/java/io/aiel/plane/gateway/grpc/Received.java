package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.http.Refusal;
import org.jspecify.annotations.Nullable;

/** A message as it came: read, or why it is not. Exactly one of them is there. */
record Received<Q>(@Nullable Q message, @Nullable Refusal refusal) {
    static <Q> Received<Q> of(Q message) {
        return new Received<>(message, null);
    }

    static <Q> Received<Q> refused(Refusal refusal) {
        return new Received<>(null, refusal);
    }

    /** The message; throws the {@link Refusal} when there is none. */
    Q orThrow() {
        if (message == null) {
            throw refusal == null ? new IllegalStateException("neither a message nor a refusal") : refusal;
        }
        return message;
    }
}
