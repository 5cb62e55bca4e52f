package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Ids;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/**
 * The connections of a project, and what is done with them. Credentials go in and never come out. Runs on the event loop and waits for nothing.
 */
@Path("/v1/workspaces/{workspace}/projects/{project}/integrations")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Integrations")
public class IntegrationsResource {
    private static final String JSON = "application/json";

    private final Integrations integrations;
    private final CallContext call;

    IntegrationsResource(Integrations integrations, CallContext call) {
        this.integrations = integrations;
        this.call = call;
    }

    @GET
    @PlaneAction("integration.read")
    @Operation(operationId = "listIntegrations", summary = "The connections of the project, the oldest first")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "ConnectionList")))
    public Uni<List<JsonObject>> list() {
        return integrations.list(call.scope());
    }

    @POST
    @ResponseStatus(201)
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("integration.write")
    @Operation(
            operationId = "createIntegration",
            summary = "Makes a connection; what opens the system is set with another call")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "ConnectionDraft")))
    @APIResponse(
            responseCode = "201",
            description = "It is kept",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "Connection")))
    public Uni<JsonObject> create(@Nullable JsonNode body) {
        return integrations.create(call.scope(), call.auditContext(), body);
    }

    @GET
    @Path("/{connection}")
    @PlaneAction("integration.read")
    @Operation(operationId = "getIntegration", summary = "One connection; never what opens it")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "Connection")))
    public Uni<JsonObject> get(@PathParam("connection") String connection) {
        return integrations.find(call.scope(), id(connection));
    }

    @PATCH
    @Path("/{connection}")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("integration.write")
    @Operation(
            operationId = "changeIntegration",
            summary = "Changes the members that are sent",
            description = "Settings that say where the system is end the credentials, which are to be set again then.")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "ConnectionChange")))
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "Connection")))
    public Uni<JsonObject> change(@PathParam("connection") String connection, @Nullable JsonNode body) {
        return integrations.change(call.scope(), call.auditContext(), id(connection), body);
    }

    @PUT
    @Path("/{connection}/credentials")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("integration.write")
    @Operation(
            operationId = "putIntegrationCredentials",
            summary = "Sets what opens the system; it replaces what there was, and nothing shows it again")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "ConnectionCredentials")))
    @APIResponse(
            responseCode = "200",
            description = "It is sealed and kept",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "Connection")))
    public Uni<JsonObject> putCredentials(@PathParam("connection") String connection, @Nullable JsonNode body) {
        return integrations.putCredentials(call.scope(), call.auditContext(), id(connection), body);
    }

    @DELETE
    @Path("/{connection}")
    @ResponseStatus(204)
    @PlaneAction("integration.write")
    @Operation(operationId = "deleteIntegration", summary = "Ends a connection, and its credentials with it")
    public Uni<Void> delete(@PathParam("connection") String connection) {
        return integrations.delete(call.scope(), call.auditContext(), id(connection));
    }

    @POST
    @Path("/{connection}/health-check")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("integration.check")
    @Operation(
            operationId = "checkIntegration",
            summary = "Calls the system with an action that changes nothing, and says whether that went well",
            description = "What the body says is not used: the action is the provider's own.")
    @RequestBody(content = @Content(mediaType = JSON, schema = @Schema(type = SchemaType.OBJECT)))
    @APIResponse(
            responseCode = "200",
            description = "It was tried",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "ConnectionHealth")))
    public Uni<Response> check(@PathParam("connection") String connection, @Nullable JsonNode body) {
        return integrations
                .actions()
                .check(asker(), connection)
                .map(result -> json("{\"ok\":true,\"error\":null,\"data\":" + result.value() + "}"))
                .onFailure(IntegrationsResource::isHealth)
                .recoverWithItem(failure -> unwell((Refusal) failure));
    }

    @POST
    @Path("/{connection}/action/{action}:invoke")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("integration.invoke")
    @Operation(
            operationId = "invokeIntegrationAction",
            summary = "Has an action done",
            description = "It needs to be among the allowed and the granted actions of the connection.")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "ActionCall")))
    @APIResponse(
            responseCode = "200",
            description = "The action's result",
            content = @Content(mediaType = JSON, schema = @Schema(ref = "ActionAnswer")))
    public Uni<Response> invoke(
            @PathParam("connection") String connection,
            @PathParam("action") String action,
            @HeaderParam("Idempotency-Key") @Nullable String idempotencyKey,
            @Nullable JsonNode body) {
        return integrations
                .actions()
                .invoke(asker(), connection, action, params(body), Optional.ofNullable(idempotencyKey))
                .map(result -> json(result.value()));
    }

    private static ObjectNode params(@Nullable JsonNode body) {
        if (!(body instanceof ObjectNode object)) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "Send {\"params\": {…}} as a JSON object.");
        }
        object.fieldNames().forEachRemaining(name -> {
            if (!name.equals("params")) {
                throw Refusal.invalid(
                        "/" + name.replace("~", "~0").replace("/", "~1"), "is not known; parameters go into params");
            }
        });
        JsonNode params = object.path("params");
        if (params.isMissingNode()) {
            return object.objectNode();
        }
        if (params instanceof ObjectNode given) {
            return given;
        }
        throw Refusal.invalid("/params", "must be an object");
    }

    private ActionService.Asker asker() {
        return new ActionService.Asker(
                call.scope(),
                call.principal().id(),
                call.execution(),
                call.declaredActions(),
                call.auditContext(),
                call.trace());
    }

    /** What says something of the connection, and not of the call or of this server. */
    private static boolean isHealth(Throwable failure) {
        return failure instanceof Refusal refusal
                && switch (refusal.code()) {
                    case ACTION_REFUSED, CONNECTION_UNUSABLE, TIMEOUT -> true;
                    default -> false;
                };
    }

    private static Response unwell(Refusal refusal) {
        Object reason =
                refusal.details().getOrDefault("reason", refusal.code().name().toLowerCase(Locale.ROOT));
        return json(new JsonObject()
                .put("ok", false)
                .put("error", new JsonObject().put("code", reason).put("message", refusal.detail()))
                .put("data", new JsonObject())
                .encode());
    }

    private static Response json(String text) {
        return Response.ok(text, MediaType.APPLICATION_JSON_TYPE).build();
    }

    private static String id(String text) {
        return Refusal.orNotFound(() -> Ids.check(Connection.PREFIX, text));
    }
}
