package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import io.aiel.grpc.plane.v1.DescribeRequest;
import io.aiel.grpc.plane.v1.InvokeRequest;
import io.aiel.grpc.plane.v1.SubmitRequest;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.CapabilityKind;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;

/** Makes runner requests of messages; what is wrong with their content, the reader of runner requests says. Thread-safe. */
final class RunnerRequests {
    private static final int USUAL_TIMEOUT_MS = 30_000;

    private final JsonValues values;

    RunnerRequests(JsonValues values) {
        this.values = values;
    }

    /** @param left how long it may take at most, whatever it asks for */
    ObjectNode invoke(InvokeRequest asked, Optional<java.time.Duration> left) {
        ObjectNode request = values.object().put("action", "invoke");
        Optional<CapabilityKind> kind = Kinds.of(asked.getKind());
        kind.ifPresent(known -> request.put("kind", known.wireName()));
        JsonNode input = input(asked);
        switch (kind.orElse(CapabilityKind.TOOL)) {
            case TOOL, AGENT, FLOW, ROUTER ->
                request.put("handler", asked.getName()).set("event", input);
            case MCP -> mcp(request, asked.getName(), input);
            case HTTP -> http(request, asked.getName(), input);
        }
        switch (asked.getTargetCase()) {
            case ENVIRONMENT -> request.put("environment", asked.getEnvironment());
            case SNAPSHOT -> request.put("snapshot", asked.getSnapshot());
            case TARGET_NOT_SET -> {}
        }
        ObjectNode meta = request.putObject("meta");
        Optional<Long> wished =
                asked.hasTimeout() ? Optional.of(millis("timeout", asked.getTimeout())) : Optional.empty();
        timeout(meta, wished, left);
        if (asked.getKeepInput()) {
            meta.put("keep_input", true);
        }
        if (asked.getNetwork() || asked.getSubprocess()) {
            meta.putObject("capabilities").put("network", asked.getNetwork()).put("subprocess", asked.getSubprocess());
        }
        return request;
    }

    private JsonNode input(InvokeRequest asked) {
        return switch (asked.getPayloadCase()) {
            case INPUT -> values.sent(asked.getInput());
            case INPUT_JSON -> {
                JsonNode input = values.sent("input_json", asked.getInputJson());
                if (!input.isObject()) {
                    throw Refusal.invalid("input_json", "must be a JSON object");
                }
                yield input;
            }
            case PAYLOAD_NOT_SET -> values.object();
        };
    }

    private static void mcp(ObjectNode request, String name, JsonNode input) {
        int slash = name.indexOf('/');
        if (slash < 0) {
            throw Refusal.invalid("name", "must be server/tool for kind mcp");
        }
        request.putObject("mcp")
                .put("server", name.substring(0, slash))
                .put("tool", name.substring(slash + 1))
                .set("args", input);
    }

    private static void http(ObjectNode request, String name, JsonNode input) {
        int blank = name.indexOf(' ');
        if (blank < 0) {
            throw Refusal.invalid("name", "must be a method, a blank and a path for kind http");
        }
        if (input.has("method") || input.has("path")) {
            throw Refusal.invalid("input", "must not have method or path, which are in name");
        }
        ObjectNode http = request.putObject("http");
        http.setAll((ObjectNode) input);
        http.put("method", name.substring(0, blank)).put("path", name.substring(blank + 1));
    }

    private static void timeout(ObjectNode meta, Optional<Long> wished, Optional<java.time.Duration> left) {
        long most = left.map(java.time.Duration::toMillis).orElse(Long.MAX_VALUE);
        if (wished.isPresent()) {
            meta.put("timeout_ms", Math.min(wished.get(), most));
        } else if (most < USUAL_TIMEOUT_MS) {
            meta.put("timeout_ms", most);
        }
    }

    ObjectNode describe(DescribeRequest asked, Optional<java.time.Duration> left) {
        ObjectNode request = values.object().put("action", "describe");
        switch (asked.getTargetCase()) {
            case ENVIRONMENT -> request.put("environment", asked.getEnvironment());
            case SNAPSHOT -> request.put("snapshot", asked.getSnapshot());
            case TARGET_NOT_SET -> {}
        }
        timeout(request.putObject("meta"), Optional.empty(), left);
        return request;
    }

    /** What is queued does not end with its caller's deadline. */
    ObjectNode submit(SubmitRequest asked) {
        ObjectNode request = invoke(asked.getRequest(), Optional.empty());
        ObjectNode meta = (ObjectNode) request.get("meta");
        if (asked.getPriority() != 0) {
            meta.put("priority", asked.getPriority());
        }
        if (asked.hasStartAt()) {
            meta.put("start_at", instant(asked.getStartAt()).toString());
        }
        if (asked.hasRetry()) {
            ObjectNode retry =
                    meta.putObject("retry").put("max_attempts", asked.getRetry().getMaxAttempts());
            if (asked.getRetry().hasBackoff()) {
                retry.put("backoff_ms", millis("retry.backoff", asked.getRetry().getBackoff()));
            }
            if (asked.getRetry().hasBackoffMax()) {
                retry.put(
                        "backoff_max_ms",
                        millis("retry.backoff_max", asked.getRetry().getBackoffMax()));
            }
        }
        return request;
    }

    private static Instant instant(Timestamp time) {
        try {
            return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
        } catch (DateTimeException | ArithmeticException e) {
            throw Refusal.invalid("start_at", "must be a time that there is");
        }
    }

    static long millis(String field, Duration duration) {
        try {
            return java.time.Duration.ofSeconds(duration.getSeconds(), duration.getNanos())
                    .toMillis();
        } catch (ArithmeticException e) {
            throw Refusal.invalid(field, "is too long");
        }
    }
}
