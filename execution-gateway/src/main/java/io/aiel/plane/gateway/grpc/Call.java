package io.aiel.plane.gateway.grpc;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.identity.ProjectDoor;
import io.aiel.plane.vocabulary.ProjectScope;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Context;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A call that may be answered: by whom, about which project, and until when its caller waits.
 *
 * @param baseUrl the URL by which the code that it leads to reaches the plane
 */
record Call(ProjectDoor.Inside inside, Sent sent, String baseUrl) {
    private static final int ANSWER_MS_MAX = 200;

    ProjectScope scope() {
        return inside.scope();
    }

    Caller caller() {
        return new Caller(
                inside.principal(),
                inside.scope(),
                sent.requestId(),
                sent.traceparent(),
                sent.traceId(),
                sent.sourceAddress(),
                baseUrl,
                trace());
    }

    /** The call has no span of its own; those of the execution are in its trace all the same. */
    private Context trace() {
        return Context.root()
                .with(Span.wrap(SpanContext.createFromRemoteParent(
                        sent.traceId(),
                        sent.traceparent().substring(36, 52),
                        TraceFlags.getDefault(),
                        TraceState.getDefault())));
    }

    AuditContext auditContext() {
        return inside.auditContext(sent.requestId(), sent.traceparent());
    }

    /**
     * How long whatever is asked for may take, so that its answer still reaches a caller who waits until his deadline: what is
     * left of that, less a tenth or a fifth of a second. Empty when he waits for as long as it takes.
     */
    Optional<Duration> left() {
        return sent.deadline()
                .map(deadline -> deadline.timeRemaining(TimeUnit.MILLISECONDS))
                .map(left -> Duration.ofMillis(Math.max(1, left - Math.min(ANSWER_MS_MAX, left / 10))));
    }
}
