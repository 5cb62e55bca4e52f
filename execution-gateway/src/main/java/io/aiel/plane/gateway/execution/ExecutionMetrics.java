package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.overload.Entry;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToIntFunction;

/** Counts and times executions. Thread-safe. Labels have few values: never a name that a tenant chooses. */
final class ExecutionMetrics {
    private final MeterRegistry meters;
    private final Map<Entry.Reason, Counter> refusals = new EnumMap<>(Entry.Reason.class);
    private final Map<Ended, Timer> timers = new ConcurrentHashMap<>();

    private record Ended(ExecutionStatus status, Optional<CapabilityKind> kind) {}

    ExecutionMetrics(MeterRegistry meters, LiveExecutions live, ExecutionGate gate) {
        this.meters = meters;
        meters.gauge("plane.executions.live", live, LiveExecutions::size);
        gauge("limit", "Executions that this server takes in hand at once, now", gate, ExecutionGate.State::limit);
        gauge("taken", "Executions that this server has in hand", gate, ExecutionGate.State::taken);
        gauge("waiting", "Requests that wait to be taken in hand", gate, ExecutionGate.State::waiting);
        gauge("projects", "Projects that have or want executions", gate, ExecutionGate.State::projects);
        for (Entry.Reason reason : Entry.Reason.values()) {
            refusals.put(
                    reason,
                    Counter.builder("plane.gate.refused")
                            .description("Executions refused before they were decided on, by why")
                            .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                            .register(meters));
        }
    }

    private void gauge(String name, String what, ExecutionGate gate, ToIntFunction<ExecutionGate.State> value) {
        Gauge.builder("plane.gate." + name, gate, asked -> value.applyAsInt(asked.state()))
                .description(what)
                .register(meters);
    }

    /** A request found no place. */
    void refused(Entry.Reason reason) {
        Objects.requireNonNull(refusals.get(reason)).increment();
    }

    void finished(ResolvedCapability target, ExecutionStatus status, Duration elapsed) {
        Optional<CapabilityKind> kind = target.capability().map(c -> c.ref().kind());
        timers.computeIfAbsent(new Ended(status, kind), this::timer).record(elapsed);
    }

    private Timer timer(Ended ended) {
        return Timer.builder("plane.executions")
                .description("Executions by how they ended, from request to record")
                .tag("status", ended.status().wireName())
                .tag("kind", ended.kind().map(CapabilityKind::wireName).orElse("none"))
                .register(meters);
    }

    void admissionFailed() {
        meters.counter("plane.admission.failures").increment();
    }
}
