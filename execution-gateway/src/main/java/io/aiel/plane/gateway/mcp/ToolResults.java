package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.Optional;

/**
 * Makes results of {@code tools/call} out of what executions answer. However one ends it is a result, with {@code isError} when it did not
 * end well, so that a model can read why; only the error's code and message are given, never its details. Thread-safe.
 */
final class ToolResults {
    private static final String REFUSAL = "refusal";
    private static final int TEXT_CHARS_MAX = 4_000;

    private final ObjectMapper json;

    ToolResults(ObjectMapper json) {
        this.json = json;
    }

    ObjectNode of(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var _, var envelope, var execution, var retryAfter) ->
                ended(envelope, execution, retryAfter);
            case ExecutionAnswer.Replayed(var _, var envelope, var execution) ->
                ended(envelope, Optional.of(execution), Optional.empty());
            case ExecutionAnswer.InProgress(var execution) -> inProgress(execution);
            case ExecutionAnswer.Queued(var execution, var _) -> inProgress(execution);
            case ExecutionAnswer.Refused(var code, var detail, var retryAfter) ->
                failed(code.name(), detail, Optional.empty(), retryAfter);
        };
    }

    /**
     * Of a stream's last event.
     *
     * @param end an envelope, or what {@link #refusal} made
     * @param yielded what stands for the result of a tool that gave none
     */
    ObjectNode streamed(JsonText end, Optional<ExecutionId> execution, Optional<ArrayNode> yielded) {
        JsonNode read = read(end);
        if (read.path(REFUSAL) instanceof ObjectNode refused) {
            return refused;
        }
        if (read.path("ok").asBoolean(false) && read.path("result").isNull() && yielded.isPresent()) {
            return succeeded(yielded.get(), execution);
        }
        return ended(end, execution, Optional.empty());
    }

    /** What stands for a refusal in a stream that has begun; {@link #streamed} reads it. */
    JsonText refusal(ExecutionAnswer.Refused refused) {
        return new JsonText(
                json.createObjectNode().<ObjectNode>set(REFUSAL, of(refused)).toString());
    }

    /** Of a call that the plane itself ended. */
    ObjectNode failed(ErrorCode code, String message, Optional<ExecutionId> execution) {
        return failed(code.name(), message, execution, Optional.empty());
    }

    private ObjectNode inProgress(ExecutionId execution) {
        return failed(
                ErrorCode.EXECUTION_IN_PROGRESS.name(),
                "The execution " + execution + " has not ended.",
                Optional.of(execution),
                Optional.empty());
    }

    private ObjectNode ended(JsonText envelope, Optional<ExecutionId> execution, Optional<Duration> retryAfter) {
        JsonNode read = read(envelope);
        if (read.path("ok").asBoolean(false)) {
            return succeeded(read.path("result"), execution);
        }
        JsonNode error = read.path("error");
        StringBuilder message = new StringBuilder(error.path("message").asText());
        // All that is wrong with the input, so that it can be mended in one go.
        error.path("details")
                .path("errors")
                .forEach(one -> message.append("\n")
                        .append(one.path("pointer").asText())
                        .append(" ")
                        .append(one.path("message").asText()));
        return failed(
                error.path("code").asText(ErrorCode.USER_CODE_ERROR.name()), message.toString(), execution, retryAfter);
    }

    private ObjectNode succeeded(JsonNode value, Optional<ExecutionId> execution) {
        ObjectNode result = result(execution);
        var content = result.putArray("content");
        if (!value.isNull() && !value.isMissingNode()) {
            content.addObject().put("type", "text").put("text", value.isTextual() ? value.asText() : text(value));
        }
        if (value.isObject()) {
            result.set("structuredContent", value);
        }
        return result.put("isError", false);
    }

    private ObjectNode failed(
            String code, String message, Optional<ExecutionId> execution, Optional<Duration> retryAfter) {
        String whole = code + ": " + message;
        ObjectNode result = result(execution);
        result.putArray("content")
                .addObject()
                .put("type", "text")
                .put("text", whole.length() > TEXT_CHARS_MAX ? whole.substring(0, TEXT_CHARS_MAX) + "…" : whole);
        ObjectNode meta = result.withObject("/_meta").put(Meta.ERROR_CODE, code);
        retryAfter.ifPresent(after -> meta.put(Meta.RETRY_AFTER, Math.max(1, after.toSeconds())));
        return result.put("isError", true);
    }

    private ObjectNode result(Optional<ExecutionId> execution) {
        ObjectNode result = json.createObjectNode();
        execution.ifPresent(id -> result.putObject("_meta").put(Meta.EXECUTION_ID, id.value()));
        return result;
    }

    private JsonNode read(JsonText envelope) {
        try {
            return json.readTree(envelope.value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an envelope is JSON that was read by the same rules", e);
        }
    }

    private String text(JsonNode value) {
        try {
            return json.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }
}
