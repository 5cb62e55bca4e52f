package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.KeptSpans;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.trace.data.SpanData;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The span and the figures of a call. */
class CallTelemetryTest {
    private final KeptSpans spans = new KeptSpans();
    private final Tracer tracer = spans.getTracer("test");
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final CallTelemetry telemetry = new CallTelemetry(tracer, meters);

    @AfterEach
    void close() {
        spans.close();
    }

    private static ActionCalls.Call call(String action, ExecutionId execution) {
        return new ActionCalls.Call(
                "call_1",
                new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create()),
                "conn_1",
                action,
                "prn_1",
                Optional.of(execution),
                Optional.empty(),
                Digest.of("{}"),
                Duration.ofSeconds(1));
    }

    private static ActionRequest request(String provider, String action, String params) {
        return new ActionRequest(
                Calls.PROJECT,
                "conn_1",
                provider,
                action,
                Calls.object("{\"base_url\":\"https://canary.example\"}"),
                Calls.object("{\"api_key\":\"canary\"}"),
                Calls.object(params),
                Duration.ofSeconds(1),
                Optional.empty(),
                Deltas.NOBODY);
    }

    private static ActionCalls.End done() {
        return new ActionCalls.End("done", "", Optional.empty(), Optional.empty());
    }

    private SpanData only() {
        assertThat(spans.ended()).hasSize(1);
        return spans.ended().getFirst();
    }

    private static List<String> attributes(SpanData span) {
        return span.getAttributes().asMap().entrySet().stream()
                .map(one -> one.getKey().getKey() + "=" + one.getValue())
                .toList();
    }

    @Test
    void isASpanOfTheExecutionWithTheNamesOfTheConventions() {
        Span worker = tracer.spanBuilder("plane.worker").startSpan();
        ExecutionId execution = ExecutionId.create();
        var watched = telemetry.begin(
                Context.root().with(worker),
                call("openai.chat.completions.create", execution),
                request(
                        "openai",
                        "openai.chat.completions.create",
                        "{\"model\":\"gpt-5\",\"messages\":[{\"role\":\"user\",\"content\":\"canary\"}]}"));
        watched.answered(ModelAnswer.of(
                "gpt-5",
                Calls.object(
                        "{\"model\":\"gpt-5-2026\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"canary\"}}],"
                                + "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10}}")));
        watched.ended(done());

        SpanData span = only();
        assertThat(span.getName()).isEqualTo("chat gpt-5");
        assertThat(span.getKind()).isEqualTo(SpanKind.CLIENT);
        assertThat(span.getParentSpanId()).isEqualTo(worker.getSpanContext().getSpanId());
        assertThat(span.getTraceId()).isEqualTo(worker.getSpanContext().getTraceId());
        assertThat(attributes(span))
                .containsExactlyInAnyOrder(
                        "plane.call.id=call_1",
                        "plane.call.action=openai.chat.completions.create",
                        "plane.call.connection=conn_1",
                        "plane.call.status=done",
                        "plane.execution=" + execution,
                        "gen_ai.operation.name=chat",
                        "gen_ai.provider.name=openai",
                        "gen_ai.request.model=gpt-5",
                        "gen_ai.response.model=gpt-5-2026",
                        "gen_ai.response.finish_reasons=[stop]",
                        "gen_ai.usage.input_tokens=19",
                        "gen_ai.usage.output_tokens=10");
        assertThat(meters.get("plane.model.tokens")
                        .tag("type", "input")
                        .counter()
                        .count())
                .isEqualTo(19);
        assertThat(meters.get("plane.model.tokens")
                        .tag("type", "output")
                        .counter()
                        .count())
                .isEqualTo(10);
    }

    @Test
    void namesMongoDbAsADatabaseAndNotItsCollections() {
        telemetry
                .begin(
                        Context.root(),
                        call("mongodb.find", ExecutionId.create()),
                        request("mongodb", "mongodb.find", "{\"collection\":\"canary\"}"))
                .ended(new ActionCalls.End("done", "", Optional.empty(), Optional.empty()));

        assertThat(attributes(only()))
                .contains("db.system.name=mongodb", "db.operation.name=find")
                .noneMatch(one -> one.contains("canary"));
    }

    @Test
    void namesTheOperationOfADatabaseAndNotItsStatement() {
        var watched = telemetry.begin(
                Context.root(),
                call("postgres.query", ExecutionId.create()),
                request("postgres", "postgres.query", "{\"sql\":\"select 'canary'\",\"model\":\"canary\"}"));
        watched.ended(new ActionCalls.End("refused", "ACTION_REFUSED", Optional.empty(), Optional.empty()));

        SpanData span = only();
        assertThat(span.getName()).isEqualTo("postgres.query");
        assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.ERROR);
        assertThat(attributes(span))
                .contains("db.system.name=postgresql", "db.operation.name=query", "error.type=ACTION_REFUSED")
                .noneMatch(one -> one.contains("canary"));
        assertThat(meters.get("plane.integration.calls")
                        .tag("action", "postgres.query")
                        .tag("status", "refused")
                        .timer()
                        .count())
                .isEqualTo(1);
    }
}
