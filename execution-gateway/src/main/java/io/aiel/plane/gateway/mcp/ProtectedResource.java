package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.http.Tokenless;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.regex.Pattern;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/**
 * The metadata of MCP endpoints as protected resources (RFC 9728). Follows from the path and the configuration alone and says nothing of
 * what exists: it is read by those who have no token yet.
 */
@Path("/.well-known/oauth-protected-resource/v1/workspaces/{workspace}/projects/{project}/mcp")
@Produces(MediaType.APPLICATION_JSON)
@ForMcp
@Tag(name = "MCP")
public class ProtectedResource {
    /** What a token needs for MCP, separated by blanks. */
    static final String SCOPES = "capability.read execution.invoke";

    private static final String WELL_KNOWN = "/.well-known/oauth-protected-resource";
    private static final Pattern PATH =
            Pattern.compile("/v1/workspaces/[0-9A-Za-z_-]{1,80}/projects/[0-9A-Za-z_-]{1,80}/mcp(/[^/\"]{1,512})?");

    private final McpConfig config;
    private final RoutingContext routing;

    ProtectedResource(McpConfig config, RoutingContext routing) {
        this.config = config;
        this.routing = routing;
    }

    /** Of the endpoint with all tools of a project. */
    @GET
    @Tokenless(reason = "it says how to get a token")
    @Operation(operationId = "getProjectMcpMetadata", summary = "How to get a token for a project's MCP endpoint")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ProtectedResource")))
    public Uni<JsonObject> ofProject() {
        return Uni.createFrom().item(this::metadata);
    }

    /** Of the endpoint of one server. */
    @GET
    @Path("{server}")
    @Tokenless(reason = "it says how to get a token")
    @Operation(operationId = "getMcpServerMetadata", summary = "How to get a token for the endpoint of an MCP server")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ProtectedResource")))
    public Uni<JsonObject> ofServer() {
        return Uni.createFrom().item(this::metadata);
    }

    /** Where the metadata of the endpoint that is called is. */
    static String metadataOf(RoutingContext routing) {
        return McpGuard.ownOrigin(routing) + WELL_KNOWN + path(routing).replace("\"", "%22");
    }

    private static String path(RoutingContext routing) {
        String path = routing.normalizedPath();
        return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    private JsonObject metadata() {
        String path = path(routing).substring(WELL_KNOWN.length());
        if (!PATH.matcher(path).matches()) {
            throw Refusal.notFound();
        }
        JsonObject metadata = new JsonObject().put("resource", McpGuard.ownOrigin(routing) + path);
        config.authorizationServers()
                .filter(servers -> !servers.isEmpty())
                .ifPresent(servers -> metadata.put("authorization_servers", new JsonArray(servers)));
        return metadata.put("scopes_supported", new JsonArray(List.of(SCOPES.split(" ", -1))))
                .put("bearer_methods_supported", new JsonArray().add("header"))
                .put("resource_name", "The AI execution plane");
    }
}
