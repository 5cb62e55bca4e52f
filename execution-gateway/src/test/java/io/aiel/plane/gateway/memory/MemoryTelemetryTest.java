package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Memory calls are counted by what they were and how they ended. */
class MemoryTelemetryTest {
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final MemoryTelemetry telemetry = new MemoryTelemetry(OpenTelemetry.noop(), meters);

    private <T> Uni<T> watched(Supplier<Uni<T>> work) {
        return telemetry.watched("append", Context.root(), work);
    }

    private long count(String outcome) {
        var timer = meters.find("plane.memory.calls")
                .tag("operation", "append")
                .tag("outcome", outcome)
                .timer();
        return timer == null ? 0 : timer.count();
    }

    @Test
    void countsCallsByHowTheyEnded() {
        Refusal refusal = new Refusal(ErrorCode.QUOTA_EXCEEDED, "full");

        assertThat(watched(() -> Uni.createFrom().item(1)).await().indefinitely())
                .isEqualTo(1);
        assertThatThrownBy(() ->
                        watched(() -> Uni.createFrom().failure(refusal)).await().indefinitely())
                .isSameAs(refusal);
        assertThatThrownBy(() -> watched(() -> {
                    throw refusal;
                }))
                .isSameAs(refusal);
        assertThatThrownBy(() -> watched(() -> Uni.createFrom().failure(new IllegalStateException("broken")))
                        .await()
                        .indefinitely())
                .isInstanceOf(IllegalStateException.class);
        watched(() -> Uni.createFrom().nothing()).subscribe().with(_ -> {}).cancel();

        assertThat(count("done")).isEqualTo(1);
        assertThat(count("refused")).isEqualTo(2);
        assertThat(count("failed")).isEqualTo(1);
        assertThat(count("cancelled")).isEqualTo(1);
    }
}
