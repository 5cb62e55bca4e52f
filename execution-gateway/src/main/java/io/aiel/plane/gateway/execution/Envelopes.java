package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.Usage;
import java.util.List;
import java.util.Optional;
import java.util.function.ToIntFunction;

/** Makes and completes execution envelopes (wire contract, section Runtime). Thread-safe. */
final class Envelopes {
    private final ObjectMapper json;
    private final ToIntFunction<ErrorCode> httpStatus;

    /** @param httpStatus the one mapping from codes to HTTP */
    Envelopes(ObjectMapper json, ToIntFunction<ErrorCode> httpStatus) {
        this.json = json;
        this.httpStatus = httpStatus;
    }

    /** What an envelope says beside result or error. */
    record Meta(
            Optional<ExecutionId> execution,
            String requestId,
            String traceId,
            Optional<SnapshotRef> snapshot,
            long durationMs,
            Usage usage,
            JsonText isolation,
            List<JsonText> logs) {}

    int status(ErrorCode code) {
        return httpStatus.applyAsInt(code);
    }

    /** The worker's envelope with what only the plane knows added to its {@code meta}. */
    JsonText completed(JsonText workerEnvelope, Meta meta) {
        ObjectNode envelope = (ObjectNode) parse(workerEnvelope);
        JsonNode present = envelope.get("meta");
        ObjectNode target = present instanceof ObjectNode object ? object : envelope.putObject("meta");
        addOwn(target, meta);
        return text(envelope);
    }

    /** An envelope of the plane's own, for an execution that no worker answered. */
    JsonText failed(ErrorCode code, String message, ObjectNode details, Meta meta) {
        ObjectNode envelope = json.createObjectNode();
        envelope.put("schema_version", "v1").put("ok", false).put("http_status", status(code));
        envelope.putNull("result");
        ObjectNode error = envelope.putObject("error");
        error.put("code", code.name()).put("message", message);
        error.set("details", details);
        ObjectNode target = envelope.putObject("meta");
        target.put("request_id", meta.requestId());
        target.put("trace_id", meta.traceId());
        target.put("duration_ms", meta.durationMs());
        target.put("cold_start", false);
        target.put("snapshot_id", meta.snapshot().map(SnapshotRef::snapshotId).orElse(null));
        target.putNull("sdk_version");
        target.putNull("runtime_version");
        var logs = target.putArray("logs");
        meta.logs().forEach(entry -> logs.add(parse(entry)));
        target.putNull("serialize_ms");
        addOwn(target, meta);
        return text(envelope);
    }

    /** The decision as it goes on record. */
    Decision recorded(Decision decision) {
        return RecordedDecision.withoutArguments(decision, json);
    }

    ObjectNode noDetails() {
        return json.createObjectNode();
    }

    /** Details of an invalid input: each error with its JSON pointer. */
    ObjectNode details(List<InputError> errors) {
        ObjectNode details = json.createObjectNode();
        var list = details.putArray("errors");
        errors.forEach(error -> list.addObject().put("pointer", error.pointer()).put("message", error.message()));
        return details;
    }

    ObjectNode reasons(List<String> reasons) {
        ObjectNode details = json.createObjectNode();
        var list = details.putArray("reasons");
        reasons.forEach(list::add);
        return details;
    }

    JsonText result(JsonText envelope) {
        return text(parse(envelope).path("result"));
    }

    String errorMessage(JsonText envelope) {
        return parse(envelope).path("error").path("message").asText("");
    }

    JsonText text(JsonNode node) {
        try {
            return new JsonText(json.writeValueAsString(node));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }

    private void addOwn(ObjectNode target, Meta meta) {
        if (meta.execution().isEmpty()) {
            return;
        }
        target.put("execution_id", meta.execution().get().value());
        target.put(
                "snapshot_digest", meta.snapshot().map(s -> s.digest().value()).orElse(null));
        target.putObject("usage")
                .put("cpu_ms", meta.usage().cpuMs())
                .put("wall_ms", meta.usage().wallMs())
                .put("max_rss_bytes", meta.usage().maxRssBytes());
        target.set("isolation", parse(meta.isolation()));
    }

    private JsonNode parse(JsonText text) {
        try {
            return json.readTree(text.value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JsonText holds well-formed JSON", e);
        }
    }
}
