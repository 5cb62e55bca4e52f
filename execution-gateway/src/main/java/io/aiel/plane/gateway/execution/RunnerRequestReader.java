package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.callback.CallbackWish;
import io.aiel.plane.gateway.execution.RunnerRequest.Action;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.TokenText;
import io.aiel.plane.vocabulary.UnicodeText;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads runner requests (wire contract, section Runtime) and collects everything that is wrong with one, so that a caller can
 * mend it in one go. Stateless; one instance per request.
 */
final class RunnerRequestReader {
    /** The environment that a push publishes to unless the project says otherwise. */
    static final String DEFAULT_ENVIRONMENT = "production";

    static final int DEFAULT_TIMEOUT_MS = 30_000;

    private static final int TEXT_CHARS_MAX = 512;
    private static final int NUMBER_CHARS_MAX = 64;
    private static final Set<String> HTTP_METHODS = Set.of("GET", "POST", "PUT", "PATCH", "OPTIONS");
    private static final Set<String> HTTP_MEMBERS = Set.of("method", "path", "query", "headers", "body");
    private static final Set<String> MCP_MEMBERS = Set.of("server", "tool", "args");
    private static final Set<String> META_MEMBERS = Set.of(
            "request_id",
            "trace_id",
            "timeout_ms",
            "idempotency_key",
            "capabilities",
            "env",
            "priority",
            "start_at",
            "retry",
            "callback",
            "keep_input");
    private static final Set<String> CAPABILITY_MEMBERS =
            Set.of("network", "subprocess", "ctypes", "signal", "resource", "outbound_https_only");

    private final int timeoutMsMax;
    private final List<InputError> errors = new ArrayList<>();

    RunnerRequestReader(int timeoutMsMax) {
        this.timeoutMsMax = timeoutMsMax;
    }

    /** What reading gave: either the request, or everything that is wrong with it. */
    sealed interface Result {
        record Read(RunnerRequest request) implements Result {}

        record Invalid(List<InputError> errors) implements Result {
            public Invalid {
                errors = List.copyOf(errors);
            }
        }
    }

    /** @param besideIt the idempotency key that came in a header */
    Result read(JsonNode document, Optional<String> besideIt) {
        if (!(document instanceof ObjectNode source)) {
            return new Result.Invalid(List.of(new InputError("", "the request must be a JSON object")));
        }
        if (!isText(source)) {
            return new Result.Invalid(List.of(
                    new InputError("", "holds half of a surrogate pair, which is no character and has no UTF-8 form")));
        }
        if (!source.path("schema_version").asText("v1").equals("v1")) {
            error("/schema_version", "must be \"v1\"");
        }
        @Nullable Action action = action(source.get("action"));
        Target target = target(source);
        @Nullable CapabilityKind kind = kind(source.get("kind"));
        @Nullable String handler = text(source, "/handler", "handler");
        if (handler == null) {
            handler = text(source, "/name", "name");
        }
        ObjectNode event = object(source, source.hasNonNull("event") ? "event" : "payload");
        ObjectNode meta = object(source, "meta");
        refuseUnknown("/meta", meta, META_MEMBERS);
        ObjectNode capabilities = object(meta, "/meta", "capabilities");
        refuseUnknown("/meta/capabilities", capabilities, CAPABILITY_MEMBERS);
        int timeoutMs = timeout(meta.get("timeout_ms"));
        @Nullable String requestId = text(meta, "/meta/request_id", "request_id");
        @Nullable String idempotencyKey = text(meta, "/meta/idempotency_key", "idempotency_key");
        if (idempotencyKey != null && !IdempotencyKey.isValid(idempotencyKey)) {
            error("/meta/idempotency_key", IdempotencyKey.RULE);
        }
        if (besideIt.isPresent() && !IdempotencyKey.isValid(besideIt.get())) {
            error("header:Idempotency-Key", IdempotencyKey.RULE);
        }
        if (besideIt.isPresent() && idempotencyKey != null && !besideIt.get().equals(idempotencyKey)) {
            error(
                    "/meta/idempotency_key",
                    "is not the key of the header Idempotency-Key; send one of them, or the same");
        }
        Optional<Queueing> queueing = QueueingReader.read(meta, errors);
        Optional<CallbackWish> callback = CallbackReader.read(meta, errors);
        boolean keepInput = flag(meta, "/meta/keep_input", "keep_input");
        object(source, "ctx");

        JsonNode arguments = event;
        @Nullable CapabilityRef ref = null;
        if (action == Action.INVOKE && kind == null) {
            if (!source.hasNonNull("kind")) {
                error("/kind", "invoke requires kind");
            }
        } else if (action == Action.INVOKE && kind != null) {
            switch (kind) {
                case TOOL, AGENT, FLOW, ROUTER -> {
                    if (handler == null || handler.isEmpty()) {
                        error("/handler", "invoke requires handler (or legacy name)");
                    } else {
                        ref = new CapabilityRef(kind, handler);
                    }
                }
                case HTTP -> {
                    if (http(source.get("http")) instanceof ObjectNode http) {
                        arguments = http;
                        ref = refOf(
                                kind,
                                http.path("method").asText() + " "
                                        + http.path("path").asText(),
                                "/http/path");
                    }
                }
                case MCP -> {
                    if (mcp(source.get("mcp")) instanceof ObjectNode mcp) {
                        arguments = object(mcp, "/mcp", "args");
                        ref = refOf(
                                kind,
                                mcp.path("server").asText() + "/"
                                        + mcp.path("tool").asText(),
                                "/mcp/tool");
                    }
                }
            }
        }
        if (action == Action.EXECUTE && handler == null) {
            handler = "entry_point.aiel_handler";
        }
        if (!errors.isEmpty() || action == null) {
            return new Result.Invalid(errors);
        }
        return new Result.Read(new RunnerRequest(
                action,
                Optional.ofNullable(ref),
                target,
                arguments,
                timeoutMs,
                Optional.ofNullable(requestId),
                besideIt.or(() -> Optional.ofNullable(idempotencyKey)),
                capabilities.path("network").asBoolean(false),
                capabilities.path("subprocess").asBoolean(false),
                queueing,
                callback,
                keepInput,
                normalised(source, action, kind, handler, event)));
    }

    /** Whether all names and texts are such that they can be written in UTF-8: what decides and what runs read that. */
    private static boolean isText(JsonNode node) {
        if (node.isTextual()) {
            return UnicodeText.isWellFormed(node.asText());
        }
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            if (!UnicodeText.isWellFormed(member.getKey()) || !isText(member.getValue())) {
                return false;
            }
        }
        if (node.isArray()) {
            for (JsonNode element : node) {
                if (!isText(element)) {
                    return false;
                }
            }
        }
        return true;
    }

    private @Nullable CapabilityRef refOf(CapabilityKind kind, String name, String pointer) {
        if (name.length() > TEXT_CHARS_MAX) {
            error(pointer, "is too long");
            return null;
        }
        if (TokenText.isIn(name)) {
            error(pointer, "holds a token; send it in the header Authorization alone, and revoke this one");
            return null;
        }
        return new CapabilityRef(kind, name);
    }

    private static ObjectNode normalised(
            ObjectNode source,
            Action action,
            @Nullable CapabilityKind kind,
            @Nullable String handler,
            ObjectNode event) {
        ObjectNode out = JsonNodeFactory.instance.objectNode();
        out.put("schema_version", "v1").put("action", action.wireName());
        if (kind != null) {
            out.put("kind", kind.wireName());
        }
        if (handler != null) {
            out.put("handler", handler);
        }
        out.set("event", event);
        for (String member : List.of("http", "mcp")) {
            if (source.hasNonNull(member)) {
                out.set(member, source.get(member));
            }
        }
        return out;
    }

    private @Nullable Action action(@Nullable JsonNode node) {
        if (node != null && node.isTextual()) {
            for (Action action : Action.values()) {
                if (action.wireName().equals(node.asText())) {
                    return action;
                }
            }
        }
        error("/action", "must be \"describe\", \"invoke\" or \"execute\"");
        return null;
    }

    private @Nullable CapabilityKind kind(@Nullable JsonNode node) {
        if (node == null || node.isNull()) {
            return null;
        }
        try {
            return CapabilityKind.parse(node.isTextual() ? node.asText() : "");
        } catch (IllegalArgumentException e) {
            error("/kind", "must be \"tool\", \"agent\", \"flow\", \"router\", \"http\" or \"mcp\"");
            return null;
        }
    }

    private Target target(ObjectNode source) {
        @Nullable String snapshot = text(source, "/snapshot", "snapshot");
        @Nullable String environment = text(source, "/environment", "environment");
        if (snapshot != null && environment != null) {
            error("/snapshot", "name a snapshot or an environment, not both");
        } else if (snapshot != null) {
            try {
                return new Target.Snapshot(new Digest(snapshot));
            } catch (IllegalArgumentException e) {
                error("/snapshot", "must be sha256: and 64 lower-case hex digits");
            }
        }
        return new Target.Environment(environment == null ? DEFAULT_ENVIRONMENT : environment);
    }

    private int timeout(@Nullable JsonNode node) {
        if (node == null) {
            return Math.min(DEFAULT_TIMEOUT_MS, timeoutMsMax);
        }
        // Reading digits takes time with the square of their number, and this runs on an event loop.
        if (node.isTextual() && node.asText().length() > NUMBER_CHARS_MAX) {
            error("/meta/timeout_ms", "must be an integer between 1 and " + timeoutMsMax + " (milliseconds)");
            return DEFAULT_TIMEOUT_MS;
        }
        try {
            BigDecimal value = node.isTextual() ? new BigDecimal(node.asText().strip()) : node.decimalValue();
            if (node.isNumber() || node.isTextual()) {
                int timeoutMs = value.intValueExact();
                if (timeoutMs >= 1 && timeoutMs <= timeoutMsMax) {
                    return timeoutMs;
                }
            }
        } catch (ArithmeticException | NumberFormatException e) {
            // Not an integer of any reasonable size: the same answer as out of range.
        }
        error("/meta/timeout_ms", "must be an integer between 1 and " + timeoutMsMax + " (milliseconds)");
        return DEFAULT_TIMEOUT_MS;
    }

    private @Nullable JsonNode http(@Nullable JsonNode node) {
        if (!(node instanceof ObjectNode http)) {
            error("/http", "http invoke requires http object");
            return null;
        }
        refuseUnknown("/http", http, HTTP_MEMBERS);
        if (!HTTP_METHODS.contains(http.path("method").asText())) {
            error("/http/method", "must be GET, POST, PUT, PATCH or OPTIONS");
        }
        if (!http.path("path").isTextual()) {
            error("/http/path", "must be a string");
        }
        objectIfPresent(http, "/http", "query");
        objectIfPresent(http, "/http", "body");
        objectIfPresent(http, "/http", "headers");
        if (http.get("headers") instanceof ObjectNode headers) {
            for (Map.Entry<String, JsonNode> header : headers.properties()) {
                if (!header.getValue().isTextual()) {
                    error("/http/headers/" + escape(header.getKey()), "must be a string");
                }
            }
        }
        return http;
    }

    private @Nullable JsonNode mcp(@Nullable JsonNode node) {
        if (!(node instanceof ObjectNode mcp)) {
            error("/mcp", "mcp invoke requires mcp object");
            return null;
        }
        refuseUnknown("/mcp", mcp, MCP_MEMBERS);
        for (String member : List.of("server", "tool")) {
            if (!mcp.path(member).isTextual()) {
                error("/mcp/" + member, "must be a string");
            }
        }
        objectIfPresent(mcp, "/mcp", "args");
        return mcp;
    }

    private @Nullable String text(ObjectNode source, String pointer, String member) {
        @Nullable JsonNode node = source.get(member);
        if (node == null || node.isNull()) {
            return null;
        }
        if (!node.isTextual()) {
            error(pointer, "must be a string");
            return null;
        }
        if (node.asText().length() > TEXT_CHARS_MAX) {
            error(pointer, "must have at most " + TEXT_CHARS_MAX + " characters");
            return null;
        }
        if (node.asText().indexOf('\0') >= 0) {
            error(pointer, "must not hold the character NUL");
            return null;
        }
        if (TokenText.isIn(node.asText())) {
            // Whatever is named here goes on record.
            error(pointer, "holds a token; send it in the header Authorization alone, and revoke this one");
            return null;
        }
        return node.asText();
    }

    private boolean flag(ObjectNode source, String pointer, String member) {
        @Nullable JsonNode node = source.get(member);
        if (node != null && !node.isNull() && !node.isBoolean()) {
            error(pointer, "must be true or false");
        }
        return node != null && node.asBoolean(false);
    }

    private ObjectNode object(ObjectNode source, String member) {
        return object(source, "", member);
    }

    private ObjectNode object(ObjectNode source, String pointer, String member) {
        @Nullable JsonNode node = source.get(member);
        if (node instanceof ObjectNode object) {
            return object;
        }
        if (node != null && !node.isNull()) {
            error(pointer + "/" + member, "must be an object");
        }
        return JsonNodeFactory.instance.objectNode();
    }

    private void objectIfPresent(ObjectNode source, String pointer, String member) {
        @Nullable JsonNode node = source.get(member);
        if (node != null && !node.isObject()) {
            error(pointer + "/" + member, "must be an object");
        }
    }

    private void refuseUnknown(String pointer, ObjectNode object, Set<String> known) {
        for (Map.Entry<String, JsonNode> member : object.properties()) {
            if (!known.contains(member.getKey())) {
                error(pointer + "/" + escape(member.getKey()), "is not a known member");
            }
        }
    }

    private void error(String pointer, String message) {
        errors.add(new InputError(pointer, message));
    }

    /** RFC 6901, section 3. */
    static String escape(String member) {
        return member.replace("~", "~0").replace("/", "~1");
    }
}
