package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.Cause;
import java.util.Optional;

/** Names the caller of a request as the cause of what it changes. */
final class Causes {
    private Causes() {}

    static Cause of(CallContext call) {
        return new Cause(Optional.of(call.principal().id()), call.requestId(), call.traceparent());
    }
}
