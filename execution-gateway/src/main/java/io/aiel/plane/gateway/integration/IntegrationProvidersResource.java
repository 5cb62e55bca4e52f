package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.http.PlaneAction;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** What a project's connections can be made to. Beside them and not among them, where a connection's id would stand. */
@Path("/v1/workspaces/{workspace}/projects/{project}/integration-providers")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Integrations")
public class IntegrationProvidersResource {
    private final Integrations integrations;

    IntegrationProvidersResource(Integrations integrations) {
        this.integrations = integrations;
    }

    @GET
    @PlaneAction("integration.read")
    @Operation(
            operationId = "listIntegrationProviders",
            summary = "What can be connected: schemas of settings, credentials and parameters")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "IntegrationProviders")))
    public Uni<Map<String, List<JsonObject>>> providers() {
        return Uni.createFrom().item(() -> Map.of("items", integrations.providers()));
    }
}
