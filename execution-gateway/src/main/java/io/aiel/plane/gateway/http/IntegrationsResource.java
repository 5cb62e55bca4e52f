package io.aiel.plane.gateway.http;

import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/**
 * The integration connections of a project. This plane cannot make any yet, so there are none; the call exists because the
 * published CLI asks for the list when it begins to work with a project.
 */
@Path("/v1/workspaces/{workspace}/projects/{project}/integrations")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Integrations")
public class IntegrationsResource {
    /** Lists the connections. */
    @GET
    @PlaneAction("project.read")
    @Operation(operationId = "listIntegrations", summary = "The integration connections of the project")
    public Uni<List<Map<String, Object>>> list() {
        return Uni.createFrom().item(List.of());
    }
}
