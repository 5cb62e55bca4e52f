package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.EventStream;
import io.aiel.plane.gateway.http.HttpConfig;
import io.aiel.plane.gateway.http.PlaneAction;
import io.smallrye.mutiny.Uni;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.time.Duration;
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
import org.jboss.resteasy.reactive.RestPath;

/**
 * The endpoints of MCP's Streamable HTTP: of each MCP server of a project, and of a project with all its tools. Each answer is one JSON
 * document, or the messages that lead to it when a call's client asked for progress; nothing else is said, so {@code GET} is 405, as
 * the protocol has it. Runs on the event loop and waits for nothing.
 */
@Path("/v1/workspaces/{workspace}/projects/{project}/mcp")
@Produces(MediaType.APPLICATION_JSON)
@ForMcp
@Tag(name = "MCP")
public class McpResource {
    private static final String SESSION = "The session to end";
    private static final String ENDED = "The session has ended";
    private static final String JSON = "application/json";

    private final McpService service;
    private final HttpConfig http;
    private final CallContext call;
    private final RoutingContext routing;

    McpResource(McpService service, HttpConfig http, CallContext call, RoutingContext routing) {
        this.service = service;
        this.http = http;
        this.call = call;
        this.routing = routing;
    }

    /** Takes one message to the endpoint with all tools of the project. */
    @POST
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces({MediaType.APPLICATION_JSON, MediaType.SERVER_SENT_EVENTS})
    @PlaneAction("capability.read")
    @Operation(operationId = "callProjectMcp", summary = "Send a message of MCP, to all tools of a project")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "RpcMessage")))
    @APIResponse(responseCode = "200", ref = "RpcAnswered")
    @APIResponse(responseCode = "202", ref = "RpcTaken")
    @APIResponse(responseCode = "400", ref = "RpcRefused")
    @APIResponse(responseCode = "404", ref = "RpcMissing")
    public Uni<Response> toProject(byte[] message) {
        return answer(Optional.empty(), message);
    }

    /** Takes one message to one server. */
    @POST
    @Path("{server}")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces({MediaType.APPLICATION_JSON, MediaType.SERVER_SENT_EVENTS})
    @PlaneAction("capability.read")
    @Operation(operationId = "callMcpServer", summary = "Send a message of MCP, to one MCP server of a project")
    @RequestBody(required = true, content = @Content(mediaType = JSON, schema = @Schema(ref = "RpcMessage")))
    @APIResponse(responseCode = "200", ref = "RpcAnswered")
    @APIResponse(responseCode = "202", ref = "RpcTaken")
    @APIResponse(responseCode = "400", ref = "RpcRefused")
    @APIResponse(responseCode = "404", ref = "RpcMissing")
    public Uni<Response> toServer(@RestPath String server, byte[] message) {
        return answer(Optional.of(server), message);
    }

    /** Ends a session at the endpoint with all tools, and what it runs. */
    @DELETE
    @PlaneAction("capability.read")
    @Operation(operationId = "endProjectMcpSession", summary = "End a session of MCP, with all tools of a project")
    @Parameter(
            name = SaidHeaders.SESSION_ID,
            in = ParameterIn.HEADER,
            required = true,
            description = SESSION,
            schema = @Schema(type = SchemaType.STRING))
    @APIResponse(responseCode = "204", description = ENDED)
    public Uni<Response> endAtProject() {
        return end(Optional.empty());
    }

    /** Ends a session at one server, and what it runs. */
    @DELETE
    @Path("{server}")
    @PlaneAction("capability.read")
    @Operation(operationId = "endMcpServerSession", summary = "End a session of MCP, with one MCP server")
    @Parameter(
            name = SaidHeaders.SESSION_ID,
            in = ParameterIn.HEADER,
            required = true,
            description = SESSION,
            schema = @Schema(type = SchemaType.STRING))
    @APIResponse(responseCode = "204", description = ENDED)
    public Uni<Response> endAtServer(@RestPath String server) {
        return end(Optional.of(server));
    }

    private Uni<Response> answer(Optional<String> server, byte[] message) {
        return service.answer(
                        new Endpoint(call.caller(), server), routing.request().headers(), message)
                .map(this::response);
    }

    private Uni<Response> end(Optional<String> server) {
        return service.end(
                        new Endpoint(call.caller(), server), routing.request().headers())
                .map(this::response);
    }

    private Response response(RpcReply reply) {
        Response.ResponseBuilder response = reply.messages()
                .map(messages -> new EventStream(messages, http.streamHeartbeat(), Duration.ZERO).response())
                .orElseGet(() -> Response.status(reply.httpStatus()));
        reply.body()
                .ifPresent(
                        body -> response.type(MediaType.APPLICATION_JSON_TYPE).entity(body));
        reply.session().ifPresent(id -> response.header(SaidHeaders.SESSION_ID, id));
        return response.build();
    }
}
