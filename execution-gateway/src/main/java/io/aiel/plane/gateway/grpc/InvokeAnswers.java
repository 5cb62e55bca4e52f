package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Duration;
import io.aiel.grpc.plane.v1.InvokeEvent;
import io.aiel.grpc.plane.v1.InvokeResponse;
import io.aiel.grpc.plane.v1.SubmitResponse;
import io.aiel.grpc.plane.v1.Usage;
import io.aiel.plane.gateway.execution.EventSource;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.StreamAnswer;
import io.aiel.plane.gateway.http.ExecutionCalls;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Makes messages of what executions answer. Whatever did not end well is thrown as a {@link Refusal} with its code, and so
 * becomes the call's status. Thread-safe.
 */
final class InvokeAnswers {
    private final JsonValues values;

    InvokeAnswers(JsonValues values) {
        this.values = values;
    }

    /** @param asJson whether the caller sent JSON, and so gets it */
    InvokeResponse response(ExecutionAnswer answer, boolean asJson) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var _, var envelope, var execution, var retryAfter) ->
                ended(values.read(envelope.value()), execution, retryAfter, false, asJson);
            case ExecutionAnswer.Replayed(var _, var envelope, var execution) ->
                ended(values.read(envelope.value()), Optional.of(execution), Optional.empty(), true, asJson);
            case ExecutionAnswer.InProgress(var execution) -> throw ExecutionCalls.inProgress(execution);
            // The key stands for a request that was queued.
            case ExecutionAnswer.Queued(var execution, var _) -> throw ExecutionCalls.inProgress(execution);
            case ExecutionAnswer.Refused refused -> throw ExecutionCalls.refusal(refused);
        };
    }

    SubmitResponse submitted(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Queued(var execution, var again) ->
                SubmitResponse.newBuilder()
                        .setExecutionId(execution.value())
                        .setReplayed(again)
                        .build();
            // The key stands for a request that was run and has ended.
            case ExecutionAnswer.Replayed(var _, var _, var execution) ->
                SubmitResponse.newBuilder()
                        .setExecutionId(execution.value())
                        .setReplayed(true)
                        .build();
            case ExecutionAnswer.InProgress(var execution) -> throw ExecutionCalls.inProgress(execution);
            case ExecutionAnswer.Envelope(var _, var envelope, var execution, var retryAfter) ->
                throw failure(values.read(envelope.value()), execution, retryAfter);
            case ExecutionAnswer.Refused refused -> throw ExecutionCalls.refusal(refused);
        };
    }

    Streamed<InvokeEvent> streamed(StreamAnswer answer, boolean asJson) {
        return switch (answer) {
            case StreamAnswer.Begun(var events) -> new Streamed.Events<>(events, event -> event(event, false, asJson));
            case StreamAnswer.Repeated(var events) ->
                new Streamed.Events<>(events, event -> event(event, true, asJson));
            case StreamAnswer.Instead(var other) ->
                new Streamed.One<>(InvokeEvent.newBuilder()
                        .setResult(response(other, asJson))
                        .build());
        };
    }

    /** What stands for a refusal when the stream has begun; {@link #streamed} reads it. */
    static JsonText problem(ExecutionAnswer.Refused refused) {
        return new JsonText(Problems.document(refused.code(), refused.detail(), Map.of()));
    }

    private InvokeEvent event(EventSource.Event event, boolean replayed, boolean asJson) {
        JsonNode data = values.read(event.data());
        InvokeEvent.Builder message = InvokeEvent.newBuilder();
        return switch (event.name()) {
            case "started" ->
                message.setStarted(InvokeEvent.Started.newBuilder()
                                .setExecutionId(data.path("execution_id").asText())
                                .setColdStart(data.path("cold_start").asBoolean()))
                        .build();
            case "log" -> message.setLog(values.struct(data)).build();
            case "chunk", EventSource.DELTA ->
                message.setChunk(chunk(data, asJson)).build();
            case "result" ->
                message.setResult(ended(data, Optional.empty(), Optional.empty(), replayed, asJson))
                        .build();
            case "error" -> throw failure(data, Optional.empty(), Optional.empty());
            default -> throw new IllegalStateException("an event of the name " + event.name());
        };
    }

    private InvokeEvent.Chunk chunk(JsonNode data, boolean asJson) {
        InvokeEvent.Chunk.Builder chunk = InvokeEvent.Chunk.newBuilder();
        return asJson || !JsonValues.fitsValue(data)
                ? chunk.setValueJson(values.bytes(data)).build()
                : chunk.setValue(values.value(data)).build();
    }

    private InvokeResponse ended(
            JsonNode envelope,
            Optional<ExecutionId> execution,
            Optional<java.time.Duration> retryAfter,
            boolean replayed,
            boolean asJson) {
        if (!envelope.path("ok").asBoolean(false)) {
            throw failure(envelope, execution, retryAfter);
        }
        JsonNode meta = envelope.path("meta");
        JsonNode result = envelope.path("result");
        InvokeResponse.Builder response = InvokeResponse.newBuilder()
                .setExecutionId(execution
                        .map(ExecutionId::value)
                        .orElseGet(() -> meta.path(Errors.EXECUTION_ID).asText()))
                .setReplayed(replayed)
                .setHttpStatus(envelope.path("http_status").asInt())
                .setSnapshotDigest(meta.path("snapshot_digest").asText(""))
                .setDuration(millis(meta.path("duration_ms").asLong()))
                .setColdStart(meta.path("cold_start").asBoolean())
                .setUsage(usage(meta.path("usage")))
                .setIsolation(values.struct(meta.path("isolation")));
        meta.path("logs").forEach(entry -> response.addLogs(values.struct(entry)));
        return asJson || !JsonValues.fitsValue(result)
                ? response.setResultJson(values.bytes(result)).build()
                : response.setResult(values.value(result)).build();
    }

    static Usage usage(JsonNode usage) {
        return Usage.newBuilder()
                .setCpuMs(usage.path("cpu_ms").asLong())
                .setWallMs(usage.path("wall_ms").asLong())
                .setMaxRssBytes(usage.path("max_rss_bytes").asLong())
                .build();
    }

    static Duration millis(long millis) {
        return Duration.newBuilder()
                .setSeconds(millis / 1_000)
                .setNanos((int) (millis % 1_000) * 1_000_000)
                .build();
    }

    /** @param document an envelope or a problem: both have their error in the same place */
    private Refusal failure(
            JsonNode document, Optional<ExecutionId> execution, Optional<java.time.Duration> retryAfter) {
        JsonNode error = document.path("error");
        Map<String, Object> details = new LinkedHashMap<>();
        if (error.path("details") instanceof ObjectNode object) {
            object.properties().forEach(member -> details.put(member.getKey(), member.getValue()));
        }
        execution
                .map(ExecutionId::value)
                .or(() -> Optional.of(document.at("/meta/execution_id").asText("")))
                .filter(id -> !id.isEmpty())
                .ifPresent(id -> details.put(Errors.EXECUTION_ID, id));
        Refusal refusal = new Refusal(
                code(error.path("code").asText()), error.path("message").asText(), details);
        return retryAfter
                .map(after -> refusal.retryAfter((int) Math.max(1, after.toSeconds())))
                .orElse(refusal);
    }

    /** The worker shares its process with user code, so what it calls its error may be no code of ours. */
    private static ErrorCode code(String name) {
        try {
            return ErrorCode.valueOf(name);
        } catch (IllegalArgumentException e) {
            return ErrorCode.USER_CODE_ERROR;
        }
    }
}
