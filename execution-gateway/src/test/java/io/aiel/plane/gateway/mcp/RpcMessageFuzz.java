package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.http.StrictJson;

/** Messages of MCP: refused by one of JSON-RPC's codes, or with an id that can be answered under and a name. */
public final class RpcMessageFuzz {
    private static final ObjectMapper JSON = strict();

    private RpcMessageFuzz() {}

    /** The body of a request. */
    public static void fuzzerTestOneInput(byte[] input) {
        switch (RpcMessage.read(input, JSON)) {
            case RpcMessage.Read.Refused(var id, var error) -> {
                require(
                        error.code() == RpcError.PARSE_ERROR || error.code() == RpcError.INVALID_REQUEST,
                        "one of the two codes for what is no message");
                require(error.httpStatus(Revision.R2025_11_25) == 400, "a bad request");
                require(id.isNull() || comesBack(id), "an id that can be answered under");
            }
            case RpcMessage.Read.Message(var message) -> {
                switch (message) {
                    case RpcMessage.Request request -> {
                        require(comesBack(request.id()), "an id that can be answered under");
                        require(!request.method().isEmpty(), "a name");
                    }
                    case RpcMessage.Notification notification ->
                        require(!notification.method().isEmpty(), "a name");
                    case RpcMessage.Response _ -> {}
                }
            }
        }
    }

    /** Written in UTF-8 and read, it is the same. */
    private static boolean comesBack(JsonNode id) {
        try {
            return id.equals(JSON.readTree(JSON.writeValueAsBytes(id)));
        } catch (JsonProcessingException e) {
            return false;
        } catch (java.io.IOException e) {
            throw new IllegalStateException("bytes in memory can be read", e);
        }
    }

    private static ObjectMapper strict() {
        ObjectMapper mapper = new ObjectMapper();
        new StrictJson().customize(mapper);
        return mapper;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
