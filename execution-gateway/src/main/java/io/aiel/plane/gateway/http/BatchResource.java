package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionBatch;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/** Many runner requests with one call. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Executions")
public class BatchResource {
    private static final String REQUESTS = "requests";

    private final Executions executions;
    private final CallContext call;
    private final RoutingContext routing;

    BatchResource(Executions executions, CallContext call, RoutingContext routing) {
        this.executions = executions;
        this.call = call;
        this.routing = routing;
    }

    /** Runs each request as if it had come alone; the answer has a result for each, in their order. */
    @POST
    @Path("executions:batch")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(
            operationId = "createExecutions",
            summary = "Run up to 100 requests, a few side by side",
            description =
                    "Each is decided, admitted and run by itself; one that fails or is refused does not touch the others.")
    @RequestBody(required = true, content = @Content(mediaType = "application/json", schema = @Schema(ref = "Batch")))
    @APIResponse(
            responseCode = "200",
            description = "Each request has its result",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "BatchResults")))
    public Uni<Response> batch(@Nullable JsonNode body) {
        if (routing.request().headers().contains(ExecutionCalls.IDEMPOTENCY_KEY)) {
            throw Refusal.invalid(
                    "header:" + ExecutionCalls.IDEMPOTENCY_KEY,
                    "is for one request; give each of the batch its own in meta.idempotency_key");
        }
        return executions
                .batch()
                .run(call.caller(), requests(body))
                .map(answers -> Response.ok(text(answers), MediaType.APPLICATION_JSON_TYPE)
                        .build());
    }

    private static List<JsonNode> requests(@Nullable JsonNode body) {
        if (!(body instanceof ObjectNode batch)) {
            throw new Refusal(
                    ErrorCode.MALFORMED_REQUEST, "Send a JSON object whose member requests is a list of requests.");
        }
        for (Map.Entry<String, JsonNode> member : batch.properties()) {
            if (!member.getKey().equals(REQUESTS)) {
                throw Refusal.invalid("/" + member.getKey(), "is not a known member");
            }
        }
        @Nullable JsonNode requests = batch.get(REQUESTS);
        if (requests == null
                || !requests.isArray()
                || requests.isEmpty()
                || requests.size() > ExecutionBatch.REQUESTS_MAX) {
            throw Refusal.invalid(
                    "/" + REQUESTS, "must be a list of 1 to " + ExecutionBatch.REQUESTS_MAX + " runner requests");
        }
        List<JsonNode> list = new ArrayList<>(requests.size());
        requests.forEach(list::add);
        return list;
    }

    /** Envelopes and problems are JSON text already. */
    private String text(List<ExecutionAnswer> answers) {
        StringJoiner results = new StringJoiner(",", "{\"results\":[", "]}");
        for (int index = 0; index < answers.size(); index++) {
            results.add("{\"index\":" + index + "," + result(answers.get(index)) + "}");
        }
        return results.toString();
    }

    private String result(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var status, var envelope, var _, var _) ->
                "\"status\":" + status + ",\"envelope\":" + envelope.value();
            case ExecutionAnswer.Replayed(var status, var envelope, var _) ->
                "\"status\":" + status + ",\"replayed\":true,\"envelope\":" + envelope.value();
            case ExecutionAnswer.InProgress(var execution) -> problem(ExecutionCalls.inProgress(execution));
            case ExecutionAnswer.Refused refused -> problem(ExecutionCalls.refusal(refused));
            // Not by this batch: by an earlier request under the same key.
            case ExecutionAnswer.Queued(var execution, var _) -> problem(ExecutionCalls.inProgress(execution));
        };
    }

    private static String problem(Refusal refusal) {
        @Nullable String after = refusal.headers().get("Retry-After");
        return "\"status\":" + Problems.status(refusal.code())
                + (after == null ? "" : ",\"retry_after\":" + after)
                + ",\"problem\":" + Problems.document(refusal.code(), refusal.detail(), refusal.details());
    }
}
