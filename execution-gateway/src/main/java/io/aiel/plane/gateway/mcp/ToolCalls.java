package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.EventSource;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionService;
import io.aiel.plane.gateway.execution.StreamAnswer;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.Cancellable;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
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
    private final int resultBytesMax;

    /** @param resultBytesMax as large as the result of an execution may be */
    ToolCalls(ObjectMapper json, ExecutionService executions, CallsInFlight inFlight, int resultBytesMax) {
        this.json = json;
        this.executions = executions;
        this.inFlight = inFlight;
        this.results = new ToolResults(json);
        this.resultBytesMax = resultBytesMax;
    }

    /** What became of a call. */
    sealed interface Outcome {
        record Ended(ObjectNode result) implements Outcome {}

        /** It was cancelled: nobody waits for a response. */
        record Cancelled() implements Outcome {}

        /** Its client asked for progress, and a worker has it. */
        record Streams(ToolStream stream) implements Outcome {}
    }

    /**
     * Throws {@link RpcError} for params that name no tool.
     *
     * @param streams whether the client takes a stream
     * @param response the message with this result
     */
    Uni<Outcome> call(
            Endpoint endpoint,
            Offer offer,
            RpcMessage.Request request,
            Optional<String> session,
            boolean streams,
            Function<ObjectNode, String> response) {
        ObjectNode runnerRequest = runnerRequest(tool(offer, request.params()), request.params());
        Optional<JsonNode> token = progressToken(request.params()).filter(_ -> streams);
        Uni<Outcome> execution = token.isEmpty()
                ? executions
                        .execute(endpoint.caller(), runnerRequest, Optional.empty())
                        .map(results::of)
                        .map(Outcome.Ended::new)
                : executions.stream(endpoint.caller(), runnerRequest, Optional.empty(), results::refusal)
                        .map(answer -> streamed(answer, token.get(), response));
        if (session.isEmpty()) {
            return execution;
        }
        return inFlight.begin(session.get(), request.id())
                .map(call -> inSession(execution, call, () -> inFlight.end(session.get(), request.id())))
                .orElseGet(() -> Uni.createFrom().item(new Outcome.Ended(results.of(tooMany()))));
    }

    private Outcome streamed(StreamAnswer answer, JsonNode token, Function<ObjectNode, String> response) {
        return switch (answer) {
            case StreamAnswer.Begun(var events) -> streams(events, token, response);
            case StreamAnswer.Repeated(var events) -> streams(events, token, response);
            case StreamAnswer.Instead(var other) -> new Outcome.Ended(results.of(other));
        };
    }

    private Outcome streams(EventSource events, JsonNode token, Function<ObjectNode, String> response) {
        return new Outcome.Streams(new ToolStream(events, token, json, results, resultBytesMax, response));
    }

    /** A text or a whole number; whatever else is there cannot be told back. */
    private static Optional<JsonNode> progressToken(ObjectNode params) {
        JsonNode token = params.path("_meta").path("progressToken");
        if (token.isMissingNode()) {
            return Optional.empty();
        }
        if (!RpcMessage.isId(token)) {
            throw new RpcError(
                    RpcError.INVALID_PARAMS,
                    "params._meta.progressToken must be a whole number or a text of at most "
                            + RpcMessage.TEXT_CHARS_MAX + " characters.");
        }
        return Optional.of(token);
    }

    /** A stream lasts longer than it takes to get it: the call is in flight until its reader has left. */
    private static Uni<Outcome> inSession(Uni<Outcome> execution, CallsInFlight.Call call, Runnable end) {
        return cancellable(execution, call)
                .onItem()
                .invoke(outcome -> {
                    if (outcome instanceof Outcome.Streams(var stream)) {
                        stream.onLeave(end);
                        call.onCancellation(stream::cancel);
                    } else {
                        end.run();
                    }
                })
                .onFailure()
                .invoke(end)
                .onCancellation()
                .invoke(end);
    }

    /** The call's own cancellation ends it without a result; everything else goes through. */
    private static Uni<Outcome> cancellable(Uni<Outcome> execution, CallsInFlight.Call call) {
        return Uni.createFrom().emitter(emitter -> {
            Cancellable running = execution.subscribe().with(emitter::complete, emitter::fail);
            emitter.onTermination(running::cancel);
            call.onCancellation(() -> {
                running.cancel();
                emitter.complete(new Outcome.Cancelled());
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
