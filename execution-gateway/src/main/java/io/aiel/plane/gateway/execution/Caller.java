package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.opentelemetry.context.Context;

/**
 * Who calls, and in which context, as the HTTP edge established it.
 *
 * @param requestId the caller's {@code X-Request-Id} or ours
 * @param traceparent W3C trace context of the request's span
 * @param traceId the trace id within it
 * @param baseUrl the URL that the caller reached the plane by
 * @param trace the span that further spans are children of
 */
public record Caller(
        Principal principal,
        ProjectScope scope,
        String requestId,
        String traceparent,
        String traceId,
        String sourceAddress,
        String baseUrl,
        Context trace) {
    /** The same with the rights that the caller has by now. */
    Caller as(Principal now) {
        return new Caller(now, scope, requestId, traceparent, traceId, sourceAddress, baseUrl, trace);
    }
}
