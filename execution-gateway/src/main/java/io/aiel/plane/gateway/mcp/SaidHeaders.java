package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.vertx.core.MultiMap;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * What a request's headers say of the protocol, and whether its body says the same: from 2026-07-28 on they repeat parts of the body, so
 * that what stands between can route by them, and must not be of two meanings (Streamable HTTP, section Server Validation).
 *
 * @param takesStreams whether it takes a stream of messages for an answer, as clients have to say
 */
record SaidHeaders(
        Optional<String> version,
        Optional<String> session,
        Optional<String> method,
        Optional<String> name,
        boolean takesStreams) {
    static final String PROTOCOL_VERSION = "MCP-Protocol-Version";
    static final String SESSION_ID = "Mcp-Session-Id";

    private static final String METHOD = "Mcp-Method";
    private static final String NAME = "Mcp-Name";
    private static final String EVENT_STREAM = "text/event-stream";
    private static final String BASE64_BEGIN = "=?base64?";
    private static final String BASE64_END = "?=";

    /** Throws {@link RpcError} when one of them is there twice. */
    static SaidHeaders of(MultiMap headers) {
        return new SaidHeaders(
                only(headers, PROTOCOL_VERSION),
                only(headers, SESSION_ID),
                only(headers, METHOD),
                only(headers, NAME),
                headers.getAll("Accept").stream().anyMatch(accepted -> accepted.contains(EVENT_STREAM)));
    }

    private static Optional<String> only(MultiMap headers, String header) {
        List<String> sent = headers.getAll(header);
        if (sent.size() > 1) {
            throw new RpcError(RpcError.HEADER_MISMATCH, header + " is there more than once.");
        }
        return sent.stream().findFirst();
    }

    /** The revision of a message with these params. Throws {@link RpcError} when it is not spoken here or not clear. */
    Revision revision(ObjectNode params, ObjectMapper json) {
        JsonNode inBody = params.path("_meta").path(Meta.PROTOCOL_VERSION);
        if (inBody.isTextual() && !inBody.asText().equals(version.orElse(""))) {
            throw new RpcError(
                    RpcError.HEADER_MISMATCH, PROTOCOL_VERSION + " is not what _meta says the protocol version is.");
        }
        if (version.isEmpty()) {
            // 2025-11-25, transports, section Protocol Version Header.
            return Revision.R2025_03_26;
        }
        return Revision.parse(version.get()).orElseThrow(() -> {
            ObjectNode data = json.createObjectNode();
            Revision.supported().forEach(data.putArray("supported")::add);
            return new RpcError(
                    RpcError.UNSUPPORTED_PROTOCOL_VERSION,
                    "Unsupported protocol version",
                    Optional.of(data.put("requested", version.get())));
        });
    }

    /** Throws {@link RpcError} unless a request of a revision without handshake is as that demands. */
    void check(RpcMessage.Request request) {
        ObjectNode params = request.params();
        JsonNode meta = params.path("_meta");
        if (!meta.path(Meta.PROTOCOL_VERSION).isTextual()
                || !meta.path(Meta.CLIENT_CAPABILITIES).isObject()) {
            throw new RpcError(
                    RpcError.INVALID_PARAMS,
                    "params._meta must have " + Meta.PROTOCOL_VERSION + " and " + Meta.CLIENT_CAPABILITIES + ".");
        }
        if (!method.equals(Optional.of(request.method()))) {
            throw new RpcError(RpcError.HEADER_MISMATCH, METHOD + " is not the method of the body.");
        }
        if (request.method().equals(McpService.TOOLS_CALL)
                && params.path("name").isTextual()
                && !name.flatMap(SaidHeaders::decoded)
                        .equals(Optional.of(params.path("name").asText()))) {
            throw new RpcError(RpcError.HEADER_MISMATCH, NAME + " is not the name in the body's params.");
        }
    }

    private static Optional<String> decoded(String sent) {
        if (!sent.startsWith(BASE64_BEGIN) || !sent.endsWith(BASE64_END)) {
            return Optional.of(sent);
        }
        try {
            String encoded = sent.substring(BASE64_BEGIN.length(), sent.length() - BASE64_END.length());
            return Optional.of(new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8));
        } catch (IllegalArgumentException | StringIndexOutOfBoundsException e) {
            return Optional.empty();
        }
    }
}
