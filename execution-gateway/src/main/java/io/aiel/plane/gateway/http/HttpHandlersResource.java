package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.HttpRoutes;
import io.aiel.plane.registry.Target;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.OPTIONS;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.core.Response;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP handlers of a project's pushed code, at their own paths below {@code P/http}. Each call is an execution of kind
 * {@code http}: decided, admitted, audited and closed as any other; only its question and its answer have another form. Runs on the
 * event loop and waits for nothing.
 */
@Path("/v1/workspaces/{workspace}/projects/{project}/http")
@Tag(name = "HTTP handlers")
public class HttpHandlersResource {
    /** Runs the handler as it is deployed in this environment, not in the one that a push publishes to. */
    static final String ENVIRONMENT = "Aiel-Environment";

    private static final String OPTIONS = "OPTIONS";
    private static final String ANY = "{path: .*}";

    private final Executions executions;
    private final CapabilityRegistry registry;
    private final HandlerAnswers answers;
    private final CallContext call;
    private final RoutingContext routing;
    private final ObjectMapper json;

    HttpHandlersResource(
            Executions executions,
            CapabilityRegistry registry,
            HandlerAnswers answers,
            CallContext call,
            RoutingContext routing,
            ObjectMapper json) {
        this.executions = executions;
        this.registry = registry;
        this.answers = answers;
        this.call = call;
        this.routing = routing;
        this.json = json;
    }

    /** HEAD too: the handler runs, and its body is left out. */
    @GET
    @Path(ANY)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "httpGet", summary = "Call the handler of this path and GET")
    public Uni<Response> get() {
        return run("GET", JsonNodeFactory.instance.objectNode());
    }

    @POST
    @Path(ANY)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "httpPost", summary = "Call the handler of this path and POST")
    @RequestBody(content = @Content(mediaType = "application/json", schema = @Schema(type = SchemaType.OBJECT)))
    public Uni<Response> post(byte @Nullable [] body) throws JsonProcessingException {
        return run("POST", read(body));
    }

    @PUT
    @Path(ANY)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "httpPut", summary = "Call the handler of this path and PUT")
    @RequestBody(content = @Content(mediaType = "application/json", schema = @Schema(type = SchemaType.OBJECT)))
    public Uni<Response> put(byte @Nullable [] body) throws JsonProcessingException {
        return run("PUT", read(body));
    }

    @PATCH
    @Path(ANY)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "httpPatch", summary = "Call the handler of this path and PATCH")
    @RequestBody(content = @Content(mediaType = "application/json", schema = @Schema(type = SchemaType.OBJECT)))
    public Uni<Response> patch(byte @Nullable [] body) throws JsonProcessingException {
        return run("PATCH", read(body));
    }

    /** Where no handler is for OPTIONS, the plane says which methods the path has. */
    @OPTIONS
    @Path(ANY)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "httpOptions", summary = "Call the handler of this path and OPTIONS, or list its methods")
    public Uni<Response> options() {
        return run(OPTIONS, JsonNodeFactory.instance.objectNode());
    }

    private ObjectNode read(byte @Nullable [] body) throws JsonProcessingException {
        return HandlerRequest.body(body, routing.request().headers(), json);
    }

    private Uni<Response> run(String method, ObjectNode body) {
        HttpServerRequest request = routing.request();
        String target = request.uri();
        int question = target.indexOf('?');
        String path = HandlerRequest.path(question < 0 ? target : target.substring(0, question));
        ObjectNode document = JsonNodeFactory.instance.objectNode();
        document.put("action", "invoke").put("kind", "http");
        String environment = Optional.ofNullable(request.getHeader(ENVIRONMENT)).orElse(Deployments.PUBLISHED_TO);
        document.put("environment", environment);
        ObjectNode http = document.putObject("http");
        http.put("method", method).put("path", path);
        http.set("query", HandlerRequest.query(request.query()));
        http.set("headers", HandlerRequest.headers(request.headers()));
        http.set("body", body);
        return executions
                .service()
                .execute(call.caller(), document, ExecutionCalls.idempotencyKey(routing))
                .chain(answer -> answer(answer, method, path, environment));
    }

    private Uni<Response> answer(ExecutionAnswer answer, String method, String path, String environment) {
        return switch (answer) {
            case ExecutionAnswer.Envelope(var status, var envelope, var execution, var retryAfter) ->
                execution.isEmpty() && answers.isMissing(envelope)
                        ? noHandler(method, path, environment)
                        : now(answers.of(status, envelope, execution, retryAfter));
            case ExecutionAnswer.Replayed(var status, var envelope, var execution) ->
                now(Response.fromResponse(answers.of(status, envelope, Optional.of(execution), Optional.empty()))
                        .header(ExecutionCalls.REPLAYED, "true")
                        .build());
            case ExecutionAnswer.InProgress(var execution) -> throw inProgress(execution);
            case ExecutionAnswer.Queued(var execution, var _) -> throw inProgress(execution);
            case ExecutionAnswer.Refused refused -> throw ExecutionCalls.refusal(refused);
        };
    }

    private Refusal inProgress(ExecutionId execution) {
        return ExecutionCalls.inProgress(execution)
                .withHeader(
                        "Location",
                        "/v1/workspaces/" + call.scope().workspace() + "/projects/"
                                + call.scope().project() + "/executions/" + execution);
    }

    private static Uni<Response> now(Response response) {
        return Uni.createFrom().item(response);
    }

    private Uni<Response> noHandler(String method, String path, String environment) {
        return registry.capabilities(call.scope(), new Target.Environment(environment))
                .map(all -> {
                    Set<String> methods = new TreeSet<>(HttpRoutes.of(all).methods(path));
                    if (methods.isEmpty()) {
                        throw Refusal.notFound();
                    }
                    if (methods.contains("GET")) {
                        methods.add("HEAD");
                    }
                    methods.add(OPTIONS);
                    String allow = String.join(", ", methods);
                    if (method.equals(OPTIONS)) {
                        return Response.noContent().header("Allow", allow).build();
                    }
                    throw StrictRequests.methodNotAllowed(allow);
                });
    }
}
