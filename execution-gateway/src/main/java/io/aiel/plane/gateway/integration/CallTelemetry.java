package io.aiel.plane.gateway.integration;

import io.aiel.plane.vocabulary.ModelUse;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Spans and figures of the calls of outside systems. Attributes have the names of OpenTelemetry's conventions where there are any, and never a
 * parameter, a statement, a result or a credential. Labels of figures have few values: actions are those of the descriptions, and no name that a
 * tenant or a provider chooses is one. Thread-safe.
 */
final class CallTelemetry {
    private static final AttributeKey<List<String>> FINISH_REASONS =
            AttributeKey.stringArrayKey("gen_ai.response.finish_reasons");

    /** What OpenTelemetry calls the databases among the providers. */
    private static final Map<String, String> DATABASES = Map.of(
            PostgresActionRunner.PROVIDER,
            "postgresql",
            RedisActionRunner.PROVIDER,
            "redis",
            MongoActionRunner.PROVIDER,
            "mongodb");

    private final Tracer tracer;
    private final MeterRegistry meters;

    CallTelemetry(Tracer tracer, MeterRegistry meters) {
        this.tracer = tracer;
        this.meters = meters;
    }

    /** A call begins. */
    Watched begin(Context trace, ActionCalls.Call call, ActionRequest request) {
        String model = ModelAnswer.name(request.params().path("model"));
        Optional<String> operation = ModelAnswer.operation(call.action());
        SpanBuilder span = tracer.spanBuilder(operation
                        .map(name -> model.isEmpty() ? name : name + " " + model)
                        .orElse(call.action()))
                .setParent(trace)
                .setSpanKind(SpanKind.CLIENT)
                .setAttribute("plane.call.id", call.id())
                .setAttribute("plane.call.action", call.action())
                .setAttribute("plane.call.connection", call.connection());
        call.execution().ifPresent(execution -> span.setAttribute("plane.execution", execution.value()));
        operation.ifPresent(name -> {
            span.setAttribute("gen_ai.operation.name", name);
            span.setAttribute("gen_ai.provider.name", request.provider());
            if (!model.isEmpty()) {
                span.setAttribute("gen_ai.request.model", model);
            }
        });
        Optional.ofNullable(DATABASES.get(request.provider())).ifPresent(system -> {
            span.setAttribute("db.system.name", system);
            span.setAttribute(
                    "db.operation.name", call.action().substring(call.action().indexOf('.') + 1));
        });
        return new Watched(call.action(), span.startSpan(), System.nanoTime());
    }

    /** A call that is under way. */
    final class Watched {
        private final String action;
        private final Span span;
        private final long began;

        private Watched(String action, Span span, long began) {
            this.action = action;
            this.span = span;
            this.began = began;
        }

        Duration elapsed() {
            return Duration.ofNanos(System.nanoTime() - began);
        }

        /** A model has answered. */
        void answered(ModelAnswer answer) {
            if (!answer.model().isEmpty()) {
                span.setAttribute("gen_ai.response.model", answer.model());
            }
            if (!answer.finishReasons().isEmpty()) {
                span.setAttribute(FINISH_REASONS, answer.finishReasons());
            }
            ModelUse use = answer.use();
            span.setAttribute("gen_ai.usage.input_tokens", use.inputTokens());
            span.setAttribute("gen_ai.usage.output_tokens", use.outputTokens());
            tokens("input").increment((double) use.inputTokens());
            tokens("output").increment((double) use.outputTokens());
        }

        private Counter tokens(String type) {
            return Counter.builder("plane.model.tokens")
                    .description("Tokens of language models, as their providers count them")
                    .tag("action", action)
                    .tag("type", type)
                    .register(meters);
        }

        /** It is over; to be called once. */
        void ended(ActionCalls.End end) {
            span.setAttribute("plane.call.status", end.status());
            if (!end.code().isEmpty()) {
                span.setAttribute("error.type", end.code());
                span.setStatus(StatusCode.ERROR);
            }
            span.end();
            Timer.builder("plane.integration.calls")
                    .description("Calls of outside systems by how they ended")
                    .tag("action", action)
                    .tag("status", end.status())
                    .register(meters)
                    .record(elapsed());
        }
    }
}
