package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.ExecutionCancellation.Which;
import io.aiel.plane.gateway.execution.ExecutionFollowers;
import io.aiel.plane.gateway.execution.ExecutionQueries;
import io.aiel.plane.gateway.execution.ExecutionReplay;
import io.aiel.plane.gateway.execution.ExecutionWait;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.Manner;
import io.aiel.plane.gateway.execution.StreamAnswer;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
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
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.ParameterIn;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** Executions: run, list, look, follow. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}/executions")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Executions")
public class ExecutionsResource {
    private static final String LAST_EVENT_ID = "Last-Event-ID";
    private static final long SEQUENCE_MAX = 999_999_999_999L;
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final int LOG_PAGE_MAX = 1_000;

    private final Executions executions;
    private final AuditTrail trail;
    private final CallContext call;
    private final RoutingContext routing;
    private final ExecutionFollowers followers;
    private final HttpConfig config;

    ExecutionsResource(
            Executions executions,
            AuditTrail trail,
            CallContext call,
            RoutingContext routing,
            ExecutionFollowers followers,
            HttpConfig config) {
        this.executions = executions;
        this.trail = trail;
        this.call = call;
        this.routing = routing;
        this.followers = followers;
        this.config = config;
    }

    /**
     * Runs one runner request; the answer is the envelope, its status the envelope's, or a stream whose last event is the envelope. A client
     * that leaves cancels the run, except with an idempotency key: then it can come back for the answer.
     */
    @POST
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces({MediaType.APPLICATION_JSON, MediaType.SERVER_SENT_EVENTS})
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "createExecution", summary = "Run a capability and answer with the execution envelope")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RunnerRequest")))
    @Parameter(ref = "IdempotencyKey")
    @Parameter(ref = "Prefer")
    @APIResponse(responseCode = "202", ref = "Queued")
    public Uni<Response> create(@Nullable JsonNode request, @Context HttpHeaders headers) {
        if (request == null) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "The body is empty; send a runner request as JSON.");
        }
        Caller caller = call.caller();
        Optional<String> key = ExecutionCalls.idempotencyKey(routing);
        Manner manner = manner(Optional.empty());
        if (!manner.queued() && EventStream.isWanted(routing, headers)) {
            return executions.service().stream(caller, request, key, ExecutionsResource::problem)
                    .map(this::streamed);
        }
        return executions.service().execute(caller, request, key, manner).map(this::response);
    }

    private Manner manner(Optional<ExecutionId> replayOf) {
        boolean queued = Preferences.respondAsync(routing.request().headers().getAll(Preferences.HEADER));
        return new Manner(queued, replayOf);
    }

    /** Where a replay runs; by default from the snapshot that the first ran from. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Replay(
            @Nullable String snapshot, @Nullable String environment) {}

    /** Runs the kept input of an execution again, as a new execution that names the first. */
    @POST
    @Path("/{execution}:replay")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("execution.read")
    @Operation(
            operationId = "replayExecution",
            summary = "Run the kept input of an execution again",
            description =
                    "On the same snapshot, or on the named one or that of an environment. Refused when the input was not kept.")
    @RequestBody(content = @Content(mediaType = "application/json", schema = @Schema(ref = "Replay")))
    @Parameter(ref = "IdempotencyKey")
    @Parameter(ref = "Prefer")
    @APIResponse(responseCode = "202", ref = "Queued")
    public Uni<Response> replay(@PathParam("execution") String execution, @Nullable Replay wish) {
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
        Replay where = wish == null ? new Replay(null, null) : wish;
        return executions
                .replay()
                .find(call.scope(), id, call.principal().id())
                .map(found -> request(found.orElseThrow(Refusal::notFound), where))
                .chain(request -> executions
                        .service()
                        .execute(
                                call.caller(),
                                request,
                                ExecutionCalls.idempotencyKey(routing),
                                manner(Optional.of(id))))
                .map(this::response);
    }

    private static JsonNode request(ExecutionReplay.Found found, Replay where) {
        return switch (found) {
            case ExecutionReplay.Found.NotKept _ ->
                throw new Refusal(
                        ErrorCode.INPUT_NOT_KEPT,
                        "The input of this execution was not kept, or its time is over; meta.keep_input asks for it.");
            case ExecutionReplay.Found.NotYours _ ->
                throw new Refusal(
                        ErrorCode.PERMISSION_DENIED,
                        "Only the principal that asked for an execution can have its input run again.");
            case ExecutionReplay.Found.Kept(var request, var snapshot) -> {
                if (where.environment() != null) {
                    request.put("environment", where.environment());
                }
                if (where.snapshot() != null || where.environment() == null) {
                    request.put("snapshot", where.snapshot() == null ? snapshot : where.snapshot());
                }
                yield request;
            }
        };
    }

    @GET
    @PlaneAction("execution.read")
    @Operation(operationId = "listExecutions", summary = "List executions, newest first")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ExecutionPage")))
    public Uni<JsonObject> list(
            @QueryParam("status") @Nullable String status,
            @QueryParam("capability") @Nullable String capability,
            @QueryParam("principal") @Nullable String principal,
            @Parameter(description = "What the request that asked for it had as X-Request-Id, sent or given")
                    @QueryParam("request_id")
                    @Nullable
                    String requestId,
            @QueryParam("cursor") @Nullable String cursor,
            @QueryParam("limit") @Nullable String limit) {
        int rows = Pages.limit(limit);
        ExecutionQueries.Filter filter = new ExecutionQueries.Filter(
                Optional.ofNullable(status),
                Optional.ofNullable(capability),
                Optional.ofNullable(principal),
                Optional.ofNullable(requestId),
                Pages.cursor(ExecutionId.PREFIX, cursor).map(ExecutionId::new),
                rows + 1);
        return executions.queries().list(call.scope(), filter).map(found -> Pages.of("executions", found, rows));
    }

    @GET
    @Path("/{execution}")
    @PlaneAction("execution.read")
    @Operation(
            operationId = "getExecution",
            summary = "Look at one execution",
            description =
                    "With wait it is answered when the execution has ended or that time is over, whichever comes first.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Execution")))
    public Uni<JsonObject> get(
            @PathParam("execution") String execution,
            @Parameter(
                            description = "How long to wait for the end, in seconds, with or without an s",
                            schema = @Schema(type = SchemaType.STRING, pattern = "^([0-9]|[1-5][0-9]|60)s?$"))
                    @QueryParam("wait")
                    @Nullable
                    String wait) {
        Duration atMost = Duration.ofSeconds(Pages.number(
                "wait",
                wait != null && wait.endsWith("s") ? wait.substring(0, wait.length() - 1) : wait,
                0,
                0,
                ExecutionWait.MAX.toSeconds()));
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
        return executions
                .waiting()
                .find(call.scope(), id, call.principal().id(), atMost)
                .onFailure(ExecutionWait.TooManyWait.class)
                .transform(many -> new Refusal(many.code(), many.detail()).retryAfter(1))
                .map(found -> found.orElseThrow(Refusal::notFound));
    }

    /**
     * Asks an execution to stop: its code first, its worker when the code does not. How it ends, its record says. One that waits in the
     * queue has ended when this is answered.
     */
    @POST
    @Path("/{execution}:cancel")
    @ResponseStatus(202)
    @PlaneAction("execution.cancel")
    @Operation(operationId = "cancelExecution", summary = "Ask a running execution to stop")
    @APIResponse(
            responseCode = "202",
            description = "It was asked to stop",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Execution")))
    public Uni<JsonObject> cancel(@PathParam("execution") String execution) {
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
        return executions
                .cancellation()
                .cancel(
                        call.scope(),
                        call.auditContext(),
                        new Which(Optional.of(id), Optional.empty(), Optional.empty()))
                .chain(asked -> find(execution).invoke(row -> {
                    if (asked.isEmpty()) {
                        throw new Refusal(
                                ErrorCode.CONFLICT,
                                "The execution has ended already, as " + row.getString("status") + ".");
                    }
                }));
    }

    @GET
    @Path("/{execution}/events")
    @Produces({MediaType.APPLICATION_JSON, MediaType.SERVER_SENT_EVENTS})
    @PlaneAction("execution.read")
    @Operation(
            operationId = "listExecutionEvents",
            summary = "The audit records of one execution, in order",
            description = "As a stream of events it goes on until the execution has ended.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = {
                @Content(mediaType = "application/json", schema = @Schema(ref = "ExecutionEvents")),
                @Content(mediaType = "text/event-stream", schema = @Schema(type = SchemaType.STRING))
            })
    @APIResponse(responseCode = "204", description = "As a stream: it has ended, and the client has all records")
    @Parameter(
            name = LAST_EVENT_ID,
            in = ParameterIn.HEADER,
            description = "As a stream: the sequence of the last record that the client has",
            schema = @Schema(type = SchemaType.INTEGER, minimum = "0", maximum = "999999999999"))
    public Uni<Response> events(@PathParam("execution") String execution, @Context HttpHeaders headers) {
        long after = lastEventId();
        if (EventStream.isWanted(routing, headers)) {
            ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
            return followers
                    .follow(call.caller(), id, after, ExecutionsResource::problem)
                    .map(this::followed);
        }
        return events(execution)
                .map(all -> Response.ok(all, MediaType.APPLICATION_JSON_TYPE).build());
    }

    private Uni<JsonObject> events(String execution) {
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
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ExecutionLogs")))
    public Uni<JsonObject> logs(
            @PathParam("execution") String execution,
            @QueryParam("after") @Nullable String after,
            @QueryParam("limit") @Nullable String limit) {
        int rows = (int) Pages.number("limit", limit, 200, 1, LOG_PAGE_MAX);
        int from = (int) Pages.number("after", after, 0, 0, Integer.MAX_VALUE);
        return find(execution)
                .chain(_ -> executions.queries().logs(new ExecutionId(execution), from, rows))
                .map(lines -> new JsonObject().put("logs", lines));
    }

    private Uni<JsonObject> find(String execution) {
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(execution));
        return executions.queries().find(call.scope(), id).map(found -> found.orElseThrow(Refusal::notFound));
    }

    private long lastEventId() {
        @Nullable String sent = routing.request().getHeader(LAST_EVENT_ID);
        return sent == null ? 0 : Pages.number("header:" + LAST_EVENT_ID, sent, 0, SEQUENCE_MAX);
    }

    private static JsonText problem(ExecutionAnswer.Refused refused) {
        return new JsonText(Problems.document(refused.code(), refused.detail(), Map.of()));
    }

    private Response streamed(StreamAnswer answer) {
        return switch (answer) {
            case StreamAnswer.Begun(var events) ->
                new EventStream(events, config.streamHeartbeat(), Duration.ZERO)
                        .response()
                        .build();
            case StreamAnswer.Repeated(var events) ->
                new EventStream(events, config.streamHeartbeat(), Duration.ZERO)
                        .response()
                        .header("Idempotency-Replayed", "true")
                        .build();
            case StreamAnswer.Instead(var other) -> response(other);
        };
    }

    private Response followed(ExecutionFollowers.Answer answer) {
        return switch (answer) {
            case ExecutionFollowers.Answer.Following(var records) ->
                new EventStream(records, config.streamHeartbeat(), RETRY)
                        .response()
                        .build();
            case ExecutionFollowers.Answer.NothingMore _ -> Response.noContent().build();
            case ExecutionFollowers.Answer.Unknown _ -> throw Refusal.notFound();
            case ExecutionFollowers.Answer.TooMany(var code, var detail) ->
                throw new Refusal(code, detail).retryAfter(5);
        };
    }

    private Response response(ExecutionAnswer answer) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var httpStatus, var envelope, var _, var retryAfter) -> {
                Response.ResponseBuilder response = Response.status(transportStatus(httpStatus))
                        .type(MediaType.APPLICATION_JSON_TYPE)
                        .entity(envelope.value());
                retryAfter.ifPresent(after -> response.header("Retry-After", Math.max(1, after.toSeconds())));
                yield response.build();
            }
            case ExecutionAnswer.Replayed(var httpStatus, var envelope, var _) ->
                Response.status(transportStatus(httpStatus))
                        .type(MediaType.APPLICATION_JSON_TYPE)
                        .header("Idempotency-Replayed", "true")
                        .entity(envelope.value())
                        .build();
            case ExecutionAnswer.InProgress(var execution) ->
                throw ExecutionCalls.inProgress(execution).withHeader("Location", location(execution));
            case ExecutionAnswer.Queued(var execution, var again) -> {
                Response.ResponseBuilder response = Response.status(202)
                        .type(MediaType.APPLICATION_JSON_TYPE)
                        .header("Location", location(execution))
                        .header(Preferences.APPLIED, Preferences.RESPOND_ASYNC)
                        .entity("{\"execution_id\":\"" + execution + "\",\"status\":\"queued\"}");
                if (again) {
                    response.header("Idempotency-Replayed", "true");
                }
                yield response.build();
            }
            case ExecutionAnswer.Refused refused -> throw ExecutionCalls.refusal(refused);
        };
    }

    private String location(ExecutionId execution) {
        String path = routing.normalizedPath();
        return path.substring(0, path.lastIndexOf("/executions")) + "/executions/" + execution;
    }

    /**
     * Code may return any status, but HTTP allows no body with some (RFC 9110, sections 15.2, 15.3.5, 15.3.6, 15.4.5): there the
     * envelope, which still says the code's status, is answered with 200.
     */
    private static int transportStatus(int httpStatus) {
        boolean withoutBody = httpStatus < 200 || httpStatus == 204 || httpStatus == 205 || httpStatus == 304;
        return withoutBody ? 200 : httpStatus;
    }
}
