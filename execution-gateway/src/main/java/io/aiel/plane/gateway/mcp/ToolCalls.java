package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionService;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.Cancellable;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Answers {@code tools/call}: each is one execution. Thread-safe; called on an event loop and waits for nothing. A client that leaves
 * cancels, as everywhere in the plane; so does its {@code notifications/cancelled}, after which there is no answer.
 */
final class ToolCalls {
    private final ObjectMapper json;
    private final ExecutionService executions;
    private final CallsInFlight inFlight;
    private final ToolResults results;

    ToolCalls(ObjectMapper json, ExecutionService executions, CallsInFlight inFlight) {
        this.json = json;
        this.executions = executions;
        this.inFlight = inFlight;
        this.results = new ToolResults(json);
    }

    /** The result; empty when the call was cancelled. Throws {@link RpcError} for params that name no tool. */
    Uni<Optional<ObjectNode>> call(
            Endpoint endpoint, Offer offer, RpcMessage.Request request, Optional<String> session) {
        ObjectNode runnerRequest = runnerRequest(tool(offer, request.params()), request.params());
        Uni<Optional<ObjectNode>> execution = executions
                .execute(endpoint.caller(), runnerRequest, Optional.empty())
                .map(results::of)
                .map(Optional::of);
        if (session.isEmpty()) {
            return execution;
        }
        return inFlight.begin(session.get(), request.id())
                .map(call -> cancellable(execution, call)
                        .onTermination()
                        .invoke(() -> inFlight.end(session.get(), request.id())))
                .orElseGet(() -> Uni.createFrom().item(Optional.of(results.of(tooMany()))));
    }

    /** The call's own cancellation ends it without a result; everything else goes through. */
    private static Uni<Optional<ObjectNode>> cancellable(Uni<Optional<ObjectNode>> execution, CallsInFlight.Call call) {
        return Uni.createFrom().emitter(emitter -> {
            Cancellable running = execution.subscribe().with(emitter::complete, emitter::fail);
            emitter.onTermination(running::cancel);
            call.onCancellation(() -> {
                running.cancel();
                emitter.complete(Optional.empty());
            });
        });
    }

    private static ExecutionAnswer tooMany() {
        return new ExecutionAnswer.Refused(
                ErrorCode.RATE_LIMITED,
                "The session has as many calls in progress as it may.",
                Optional.of(Duration.ofSeconds(1)));
    }

    private static Capability tool(Offer offer, ObjectNode params) {
        JsonNode name = params.path("name");
        if (!name.isTextual()) {
            throw new RpcError(RpcError.INVALID_PARAMS, "params.name must be a text.");
        }
        @Nullable Capability tool = offer.tools().get(name.asText());
        if (tool == null) {
            throw new RpcError(RpcError.INVALID_PARAMS, "Unknown tool; tools/list has those that there are.");
        }
        return tool;
    }

    private ObjectNode runnerRequest(Capability tool, ObjectNode params) {
        JsonNode arguments = params.hasNonNull("arguments") ? params.get("arguments") : json.createObjectNode();
        if (!arguments.isObject()) {
            throw new RpcError(RpcError.INVALID_PARAMS, "params.arguments must be an object.");
        }
        ObjectNode request = json.createObjectNode()
                .put("action", "invoke")
                .put("kind", tool.ref().kind().wireName());
        if (tool.ref().kind() == CapabilityKind.MCP) {
            request.putObject("mcp")
                    .put("server", tool.server().orElseThrow())
                    .put("tool", ToolNames.ownName(tool))
                    .set("args", arguments);
        } else {
            request.put("handler", tool.ref().name()).set("event", arguments);
        }
        JsonNode timeout = params.path("_meta").path(Meta.TIMEOUT_MS);
        if (!timeout.isMissingNode()) {
            request.putObject("meta").set("timeout_ms", timeout);
        }
        return request;
    }
}
