package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.UnicodeText;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** One JSON-RPC 2.0 message of a client, in the narrower form that MCP gives it. Immutable, as long as nobody changes its nodes. */
sealed interface RpcMessage {
    /** Longer names and ids are nobody's. */
    int TEXT_CHARS_MAX = 256;

    /** Wants an answer under its id, a text or a whole number. */
    record Request(JsonNode id, String method, ObjectNode params) implements RpcMessage {}

    /** Wants none. */
    record Notification(String method, ObjectNode params) implements RpcMessage {}

    /** Answers a request of ours. We send none, so it answers nothing. */
    record Response() implements RpcMessage {}

    /** What reading a body gave. */
    sealed interface Read {
        record Message(RpcMessage message) implements Read {}

        /** @param id the message's own when it could be told, else JSON's null */
        record Refused(JsonNode id, RpcError error) implements Read {}
    }

    /** Reads a body by the rules of this mapper. Total. */
    static Read read(byte[] body, ObjectMapper json) {
        @Nullable JsonNode document;
        try {
            document = json.readTree(body);
        } catch (IOException e) {
            // Not well-formed, or, which the library does not count as that, no text: JSON may be in UTF-32 for it.
            return refused(RpcError.PARSE_ERROR, "The body is not one well-formed JSON document.");
        }
        if (document == null || document.isMissingNode()) {
            return refused(RpcError.PARSE_ERROR, "The body is empty; send one JSON-RPC message.");
        }
        if (document.isArray()) {
            return refused(
                    RpcError.INVALID_REQUEST,
                    "Batches are not part of the protocol; send each message in an HTTP request of its own.");
        }
        return document instanceof ObjectNode object
                ? read(object, json)
                : refused(RpcError.INVALID_REQUEST, "A JSON-RPC message is a JSON object.");
    }

    private static Read read(ObjectNode message, ObjectMapper json) {
        @Nullable JsonNode id = message.get("id");
        if (id != null && !isId(id)) {
            return refused(
                    RpcError.INVALID_REQUEST,
                    "id must be a whole number or a text of at most " + TEXT_CHARS_MAX + " characters.");
        }
        JsonNode known = id == null ? NullNode.getInstance() : id;
        if (!message.path("jsonrpc").asText().equals("2.0")
                || !message.path("jsonrpc").isTextual()) {
            return refused(known, "jsonrpc must be \"2.0\".");
        }
        @Nullable JsonNode method = message.get("method");
        if (method == null && id != null && (message.has("result") || message.has("error"))) {
            return new Read.Message(new Response());
        }
        if (method == null || !method.isTextual() || !isName(method.asText())) {
            return refused(known, "method must be a text of 1 to " + TEXT_CHARS_MAX + " characters.");
        }
        JsonNode params = message.has("params") ? message.get("params") : json.createObjectNode();
        if (!(params instanceof ObjectNode named)) {
            return refused(known, "params must be an object.");
        }
        return new Read.Message(
                id == null ? new Notification(method.asText(), named) : new Request(id, method.asText(), named));
    }

    /** Whether it is what tells one request of a client from another: a text or a whole number. */
    static boolean isId(JsonNode id) {
        return id.isTextual()
                ? id.asText().length() <= TEXT_CHARS_MAX && UnicodeText.isWellFormed(id.asText())
                : id.isIntegralNumber() && id.canConvertToLong();
    }

    private static boolean isName(String text) {
        return !text.isEmpty() && text.length() <= TEXT_CHARS_MAX;
    }

    private static Read refused(int code, String message) {
        return new Read.Refused(NullNode.getInstance(), new RpcError(code, message));
    }

    private static Read refused(JsonNode id, String message) {
        return new Read.Refused(id, new RpcError(RpcError.INVALID_REQUEST, message));
    }
}
