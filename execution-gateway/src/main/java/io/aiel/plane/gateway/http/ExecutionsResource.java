package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionQueries;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/** Executions: run, list, look, follow. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}/executions")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "executions")
public class ExecutionsResource {
    private static final int PAGE_MAX = 200;
    private static final int LOG_PAGE_MAX = 1_000;

    private final Executions executions;
    private final AuditTrail trail;
    private final CallContext call;
    private final RoutingContext routing;

    ExecutionsResource(Executions executions, AuditTrail trail, CallContext call, RoutingContext routing) {
        this.executions = executions;
        this.trail = trail;
        this.call = call;
        this.routing = routing;
    }

    /** Runs one runner request; the answer is the envelope, its status the envelope's. A client that leaves cancels the run. */
    @POST
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "createExecution", summary = "Run a capability and answer with the execution envelope")
    public Uni<Response> create(@Nullable JsonNode request) {
        if (request == null) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "The body is empty; send a runner request as JSON.");
        }
        return executions.service().execute(caller(), request).map(ExecutionsResource::response);
    }

    @GET
    @PlaneAction("execution.read")
    @Operation(operationId = "listExecutions", summary = "List executions, newest first")
    public Uni<JsonObject> list(
            @QueryParam("status") @Nullable String status,
            @QueryParam("capability") @Nullable String capability,
            @QueryParam("principal") @Nullable String principal,
            @QueryParam("cursor") @Nullable String cursor,
            @QueryParam("limit") @Nullable Integer limit) {
        int rows = limit(limit, 50, PAGE_MAX);
        ExecutionQueries.Filter filter = new ExecutionQueries.Filter(
                Optional.ofNullable(status),
                Optional.ofNullable(capability),
                Optional.ofNullable(principal),
                Optional.ofNullable(cursor).map(ExecutionsResource::cursor),
                rows + 1);
        return executions.queries().list(call.scope(), filter).map(found -> page(found, rows));
    }

    @GET
    @Path("/{execution}")
    @PlaneAction("execution.read")
    @Operation(operationId = "getExecution", summary = "Look at one execution")
    public Uni<JsonObject> get(@PathParam("execution") String execution) {
        return find(execution);
    }

    @GET
    @Path("/{execution}/events")
    @PlaneAction("execution.read")
    @Operation(operationId = "listExecutionEvents", summary = "The audit records of one execution, in order")
    public Uni<JsonObject> events(@PathParam("execution") String execution) {
        return find(execution)
                .chain(_ -> trail.executionEvents(call.scope().tenant(), new ExecutionId(execution)))
                .map(records -> new JsonObject()
                        .put(
                                "events",
                                new JsonArray(records.stream()
                                        .map(record -> new JsonObject(record.canonical())
                                                .put("hash", record.hash().value()))
                                        .toList())));
    }

    @GET
    @Path("/{execution}/logs")
    @PlaneAction("execution.read")
    @Operation(operationId = "listExecutionLogs", summary = "What the code of one execution logged, in order")
    public Uni<JsonObject> logs(
            @PathParam("execution") String execution,
            @QueryParam("after") @Nullable Integer after,
            @QueryParam("limit") @Nullable Integer limit) {
        int rows = limit(limit, 200, LOG_PAGE_MAX);
        int from = after == null ? 0 : Math.max(0, after);
        return find(execution)
                .chain(_ -> executions.queries().logs(new ExecutionId(execution), from, rows))
                .map(lines -> new JsonObject().put("logs", lines));
    }

    private Uni<JsonObject> find(String execution) {
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
        return executions.queries().find(call.scope(), id).map(found -> found.orElseThrow(Refusal::notFound));
    }

    private Caller caller() {
        return new Caller(
                call.principal(),
                call.scope(),
                call.requestId(),
                call.traceparent(),
                call.traceId(),
                call.sourceAddress(),
                routing.request().scheme() + "://" + routing.request().authority(),
                Context.current());
    }

    private static Response response(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var httpStatus, var envelope, var _) ->
                Response.status(transportStatus(httpStatus))
                        .type(MediaType.APPLICATION_JSON_TYPE)
                        .entity(envelope.value())
                        .build();
            case ExecutionAnswer.Refused(var code, var detail, var retryAfter) -> {
                Refusal refusal = new Refusal(code, detail);
                throw retryAfter.isPresent()
                        ? refusal.retryAfter((int) Math.max(1, retryAfter.get().toSeconds()))
                        : refusal;
            }
        };
    }

    /**
     * Code may return any status, but HTTP allows no body with some (RFC 9110, sections 15.2, 15.3.5, 15.3.6, 15.4.5): there the
     * envelope, which still says the code's status, is answered with 200.
     */
    private static int transportStatus(int httpStatus) {
        boolean withoutBody = httpStatus < 200 || httpStatus == 204 || httpStatus == 205 || httpStatus == 304;
        return withoutBody ? 200 : httpStatus;
    }

    private static JsonObject page(List<JsonObject> found, int rows) {
        List<JsonObject> shown = found.size() > rows ? found.subList(0, rows) : found;
        String next = found.size() > rows ? shown.getLast().getString("id") : null;
        return new JsonObject().put("executions", new JsonArray(shown)).put("next_cursor", next);
    }

    private static ExecutionId cursor(String text) {
        try {
            return ExecutionId.parse(text);
        } catch (IllegalArgumentException e) {
            throw Refusal.invalid("query:cursor", "is not a cursor that this call gave out");
        }
    }

    private static int limit(@Nullable Integer asked, int usual, int most) {
        if (asked == null) {
            return usual;
        }
        if (asked < 1 || asked > most) {
            throw Refusal.invalid("query:limit", "must be between 1 and " + most);
        }
        return asked;
    }
}
