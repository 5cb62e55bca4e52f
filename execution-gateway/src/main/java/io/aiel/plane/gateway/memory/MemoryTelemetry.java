package io.aiel.plane.gateway.memory;

import io.aiel.plane.gateway.http.Refusal;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Spans and figures of memory calls: which operation, how long, how it ended. Nothing that is remembered, and no name of it, is in them.
 * Thread-safe.
 */
@Singleton
final class MemoryTelemetry {
    private final Tracer tracer;
    private final MeterRegistry meters;

    MemoryTelemetry(OpenTelemetry telemetry, MeterRegistry meters) {
        this.tracer = telemetry.getTracer("io.aiel.plane");
        this.meters = meters;
    }

    /**
     * Does it, and tells of it.
     *
     * @param operation one of the few that there are
     * @param trace the span that its own is a child of
     */
    <T> Uni<T> watched(String operation, Context trace, Supplier<Uni<T>> work) {
        Span span = tracer.spanBuilder("memory." + operation)
                .setParent(trace)
                .setSpanKind(SpanKind.CLIENT)
                .setAttribute("db.system.name", "postgresql")
                .setAttribute("db.operation.name", operation)
                .startSpan();
        long began = System.nanoTime();
        Uni<T> begun;
        try {
            begun = work.get();
        } catch (RuntimeException e) {
            ended(operation, span, began, outcome(e, false));
            throw e;
        }
        return begun.onTermination()
                .invoke((_, failure, cancelled) -> ended(operation, span, began, outcome(failure, cancelled)));
    }

    private static String outcome(@Nullable Throwable failure, boolean cancelled) {
        if (cancelled) {
            return "cancelled";
        }
        if (failure == null) {
            return "done";
        }
        return failure instanceof Refusal ? "refused" : "failed";
    }

    private void ended(String operation, Span span, long began, String outcome) {
        if (!outcome.equals("done")) {
            span.setAttribute("error.type", outcome);
            span.setStatus(StatusCode.ERROR);
        }
        span.end();
        Timer.builder("plane.memory.calls")
                .description("Memory calls by operation and how they ended")
                .tag("operation", operation)
                .tag("outcome", outcome)
                .register(meters)
                .record(Duration.ofNanos(System.nanoTime() - began));
    }
}
