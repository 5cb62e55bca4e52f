package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/** Projects across the workspaces of the caller's tenant. */
@Path("/v1/projects")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Control plane")
class ProjectsResource {
    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @GET
    @PlaneAction("project.read")
    @Operation(operationId = "listProjects", summary = "The projects of the tenant")
    public Uni<Views.Page<Views.Project>> list(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        return visible(
                plane,
                current.get(),
                "tenantId = :tenant",
                Map.of("tenant", call.principal().tenant().value()),
                Paging.of(limit, cursor));
    }

    /** What the token may not see is left out; so a page may be shorter than its limit and still have a next. */
    static Uni<Views.Page<Views.Project>> visible(
            ControlPlane plane, Caller caller, String where, Map<String, Object> parameters, Paging paging) {
        return plane.read(session -> ControlPlane.page(session, ProjectRow.class, where, parameters, paging))
                .map(rows -> {
                    Views.Page<ProjectRow> page = paging.page(rows, row -> row.id, row -> row);
                    return new Views.Page<>(
                            page.items().stream()
                                    .filter(row ->
                                            caller.maySee(new WorkspaceId(row.workspaceId), new ProjectId(row.id)))
                                    .map(Views.Project::of)
                                    .toList(),
                            page.nextCursor());
                });
    }
}
