package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;

/**
 * A message that is answered with a JSON-RPC error. The text reaches the caller. Has no stack trace; it is an answer, not a fault.
 * Immutable.
 */
final class RpcError extends RuntimeException {
    // JSON-RPC 2.0, section 5.1.
    static final int PARSE_ERROR = -32_700;
    static final int INVALID_REQUEST = -32_600;
    static final int METHOD_NOT_FOUND = -32_601;
    static final int INVALID_PARAMS = -32_602;

    // MCP 2026-07-28, basic, section Error Codes.
    static final int HEADER_MISMATCH = -32_020;
    static final int UNSUPPORTED_PROTOCOL_VERSION = -32_022;

    private static final long serialVersionUID = 1L;

    private final int code;
    private final transient Optional<JsonNode> data;

    RpcError(int code, String message) {
        this(code, message, Optional.empty());
    }

    RpcError(int code, String message, Optional<JsonNode> data) {
        super(message, null, false, false);
        this.code = code;
        this.data = data;
    }

    int code() {
        return code;
    }

    String text() {
        return String.valueOf(getMessage());
    }

    Optional<JsonNode> data() {
        return data;
    }

    /**
     * The HTTP status that goes with it. Up to 2025-11-25 a request that can be read is answered with 200, whatever its answer says; later
     * revisions demand a status.
     */
    int httpStatus(Revision revision) {
        return switch (code) {
            case METHOD_NOT_FOUND -> revision.hasHandshake() ? 200 : 404;
            case INVALID_PARAMS -> revision.hasHandshake() ? 200 : 400;
            default -> 400;
        };
    }
}
