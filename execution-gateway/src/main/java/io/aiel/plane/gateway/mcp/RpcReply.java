package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.EventSource;
import java.util.Optional;

/**
 * What a message is answered with.
 *
 * @param body one JSON-RPC response; empty when there is none
 * @param messages whose last is the response; empty when it is the only one, or there is none
 * @param session the session that a client is to name from now on
 */
record RpcReply(int httpStatus, Optional<String> body, Optional<EventSource> messages, Optional<String> session) {
    private static final RpcReply ACCEPTED = new RpcReply(202, Optional.empty(), Optional.empty(), Optional.empty());

    /** The message is taken and there is nothing to say: it wanted no answer, or its client does not want it any more. */
    static RpcReply accepted() {
        return ACCEPTED;
    }

    static RpcReply streamed(EventSource messages) {
        return new RpcReply(200, Optional.empty(), Optional.of(messages), Optional.empty());
    }

    static RpcReply result(ObjectMapper json, JsonNode id, ObjectNode result) {
        ObjectNode response = json.createObjectNode().put("jsonrpc", "2.0");
        response.set("id", id);
        response.set("result", result);
        return new RpcReply(200, Optional.of(text(json, response)), Optional.empty(), Optional.empty());
    }

    static RpcReply error(ObjectMapper json, JsonNode id, RpcError error, Revision revision) {
        ObjectNode response = json.createObjectNode().put("jsonrpc", "2.0");
        response.set("id", id);
        ObjectNode said = response.putObject("error").put("code", error.code()).put("message", error.text());
        error.data().ifPresent(data -> said.set("data", data));
        return new RpcReply(
                error.httpStatus(revision), Optional.of(text(json, response)), Optional.empty(), Optional.empty());
    }

    /** The same, with the session. */
    RpcReply inSession(String id) {
        return new RpcReply(httpStatus, body, messages, Optional.of(id));
    }

    private static String text(ObjectMapper json, ObjectNode response) {
        try {
            return json.writeValueAsString(response);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }
}
