package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TokenText;
import io.aiel.plane.vocabulary.Usage;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;

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
            ModelsUsed models,
            JsonText isolation,
            List<JsonText> logs) {}

    int status(ErrorCode code) {
        return httpStatus.applyAsInt(code);
    }

    /**
     * The worker's envelope with what only the plane knows added to its {@code meta}. What the worker wrote is taken over as text,
     * after one reading of it that is as strict as for requests. Throws {@link IllegalArgumentException} when it is no envelope.
     */
    WorkerEnvelope.Completed completed(JsonText workerEnvelope, Meta meta) {
        return WorkerEnvelope.read(workerEnvelope, json.getFactory()).withMeta(own(meta));
    }

    /** An envelope of the plane's own, for an execution that no worker answered. */
    JsonText failed(ErrorCode code, String message, ObjectNode details, Meta meta) {
        ObjectNode envelope = json.createObjectNode();
        envelope.put("schema_version", "v1").put("ok", false).put("http_status", status(code));
        envelope.putNull("result");
        ObjectNode error = envelope.putObject("error");
        error.put("code", code.name()).put("message", TokenText.redacted(message));
        error.set("details", parse(new JsonText(TokenText.redacted(text(details).value()))));
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
        own(meta).forEach((name, value) -> target.putRawValue(name, new RawValue(value)));
        return text(envelope);
    }

    /** Whether an envelope, of a worker or the plane's own, tells of a success. */
    boolean isSuccess(JsonText envelope) {
        try (JsonParser parser = json.getFactory().createParser(envelope.value())) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (name.equals("ok")) {
                    return value == JsonToken.VALUE_TRUE;
                }
                parser.skipChildren();
            }
            return false;
        } catch (IOException e) {
            throw new IllegalStateException("an envelope was read before", e);
        }
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

    /**
     * What a request asks for, as one digest: two requests are the same when this is, however their members are ordered. Who asks, how
     * long it may take and what the request is called do not count; nor do the headers of an HTTP request, which differ each time it is
     * sent.
     */
    Digest fingerprint(RunnerRequest request) {
        ObjectNode asked = json.createObjectNode();
        switch (request.target()) {
            case Target.Environment(var name) -> asked.put("environment", name);
            case Target.Snapshot(var digest) -> asked.put("snapshot", digest.value());
        }
        asked.put("network", request.wantsNetwork()).put("subprocess", request.wantsSubprocess());
        request.callback().ifPresent(wish -> asked.put("callback", wish.storedUrl()));
        ObjectNode document = request.document().deepCopy();
        if (document.get("http") instanceof ObjectNode http) {
            http.remove("headers");
        }
        asked.set("document", document);
        try {
            return Digest.of(
                    json.writer().with(JsonNodeFeature.WRITE_PROPERTIES_SORTED).writeValueAsString(asked));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }

    /** A line of the plane's own among an execution's logs, in the form of {@code ctx.log}. */
    JsonText logLine(Run run, String event, ObjectNode fields) {
        ObjectNode line = json.createObjectNode();
        line.put("ts_ms", run.requestedAt().plus(run.elapsed()).toEpochMilli());
        line.put("level", "WARN").put("event", event);
        line.put("request_id", run.requestId()).put("trace_id", run.caller().traceId());
        line.put("snapshot_id", run.target().snapshot().snapshotId());
        line.put("resource_kind", (String) null).put("resource_name", (String) null);
        line.set("fields", fields);
        return text(line);
    }

    /** The result in an envelope. */
    JsonNode result(JsonText envelope) {
        return parse(envelope).path("result");
    }

    /**
     * The request as it can be read again later: what is asked for, and the wishes that count when it runs. Where it runs from, its key,
     * and what it asked of the queue are kept beside it.
     */
    JsonText kept(RunnerRequest request) {
        ObjectNode document = request.document().deepCopy();
        ObjectNode meta = document.putObject("meta");
        meta.put("timeout_ms", request.timeoutMs());
        request.requestId().ifPresent(id -> meta.put("request_id", id));
        ObjectNode capabilities = meta.putObject("capabilities");
        capabilities.put("network", request.wantsNetwork()).put("subprocess", request.wantsSubprocess());
        return text(document);
    }

    /** What {@link #kept} made. */
    JsonNode read(JsonText kept) {
        return parse(kept);
    }

    JsonText text(JsonNode node) {
        try {
            return new JsonText(json.writeValueAsString(node));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }

    /** What only the plane knows, as JSON by name; nothing when nothing was admitted. */
    private static Map<String, String> own(Meta meta) {
        if (meta.execution().isEmpty()) {
            return Map.of();
        }
        Map<String, String> own = new LinkedHashMap<>();
        own.put("execution_id", quoted(meta.execution().get().value()));
        own.put(
                "snapshot_digest",
                meta.snapshot().map(s -> quoted(s.digest().value())).orElse("null"));
        own.put(
                "usage",
                "{\"cpu_ms\":" + meta.usage().cpuMs() + ",\"wall_ms\":"
                        + meta.usage().wallMs() + ",\"max_rss_bytes\":"
                        + meta.usage().maxRssBytes() + models(meta.models()) + "}");
        own.put("isolation", meta.isolation().value());
        return own;
    }

    /** Further members of the usage; none when no model was called. */
    private static String models(ModelsUsed models) {
        if (models.use().equals(ModelUse.NONE)) {
            return "";
        }
        return ",\"calls\":" + models.use().calls() + ",\"input_tokens\":"
                + models.use().inputTokens() + ",\"output_tokens\":"
                + models.use().outputTokens() + ",\"total_tokens\":"
                + models.use().totalTokens() + ",\"models\":["
                + models.names().stream()
                        .map(name -> TextNode.valueOf(name).toString())
                        .collect(Collectors.joining(","))
                + "]";
    }

    /** Ids and digests have no character that JSON escapes. */
    private static String quoted(String id) {
        return '"' + id + '"';
    }

    private JsonNode parse(JsonText text) {
        try {
            return json.readTree(text.value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JsonText holds well-formed JSON", e);
        }
    }
}
