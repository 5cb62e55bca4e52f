package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.Cause;
import java.util.Optional;

/** Names the caller of a request as the cause of what it changes. Any thread. */
public final class Causes {
    private Causes() {}

    /** The cause that a request is; it must be authenticated. */
    public static Cause of(CallContext call) {
        return new Cause(Optional.of(call.principal().id()), call.requestId(), call.traceparent());
    }
}
