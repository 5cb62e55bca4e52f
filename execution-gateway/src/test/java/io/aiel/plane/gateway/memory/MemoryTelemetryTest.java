package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.gateway.KeptSpans;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.smallrye.mutiny.Uni;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory calls are counted by what they were and how they ended. */
class MemoryTelemetryTest {
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final KeptSpans spans = new KeptSpans();
    private final MemoryTelemetry telemetry = new MemoryTelemetry(spans, meters);

    @AfterEach
    void close() {
        spans.close();
    }

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
    void isASpanOfTheExecutionAndSaysNothingOfWhatIsRemembered() {
        Span worker = spans.getTracer("test").spanBuilder("plane.worker").startSpan();
        Context execution = Context.root().with(worker);

        telemetry
                .watched("append", execution, () -> Uni.createFrom().item("canary"))
                .await()
                .indefinitely();
        assertThatThrownBy(() -> telemetry
                        .watched(
                                "get",
                                execution,
                                () -> Uni.createFrom().failure(new Refusal(ErrorCode.QUOTA_EXCEEDED, "canary")))
                        .await()
                        .indefinitely())
                .isInstanceOf(Refusal.class);

        assertThat(spans.ended()).extracting(SpanData::getName).containsExactly("memory.append", "memory.get");
        assertThat(spans.ended()).allSatisfy(span -> {
            assertThat(span.getParentSpanId()).isEqualTo(worker.getSpanContext().getSpanId());
            assertThat(span.getTraceId()).isEqualTo(worker.getSpanContext().getTraceId());
            assertThat(span.toString()).doesNotContain("canary");
        });
        assertThat(spans.ended())
                .extracting(span -> span.getStatus().getStatusCode())
                .containsExactly(StatusCode.UNSET, StatusCode.ERROR);
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
