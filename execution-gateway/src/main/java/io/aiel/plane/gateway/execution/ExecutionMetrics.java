package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ResolvedCapability;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;

/** Counts and times executions. Thread-safe. Labels have few values: never a name that a tenant chooses. */
final class ExecutionMetrics {
    private final MeterRegistry meters;

    ExecutionMetrics(MeterRegistry meters, LiveExecutions live) {
        this.meters = meters;
        meters.gauge("plane.executions.live", live, LiveExecutions::size);
    }

    void finished(ResolvedCapability target, ExecutionStatus status, Duration elapsed) {
        String kind = target.capability().map(c -> c.ref().kind().wireName()).orElse("none");
        Timer.builder("plane.executions")
                .description("Executions by how they ended, from request to record")
                .tag("status", status.wireName())
                .tag("kind", kind)
                .register(meters)
                .record(elapsed);
    }

    void admissionFailed() {
        meters.counter("plane.admission.failures").increment();
    }
}
