package io.aiel.plane.gateway.identity;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.Causes;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.registry.files.TreeChanged;
import io.aiel.plane.registry.files.Trees;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.Map;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** Workspaces of the caller's tenant, and their projects. */
@Path("/v1/workspaces")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@Tag(name = "Control plane")
class WorkspacesResource {
    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @Inject
    Runtimes runtimes;

    @Inject
    Event<TreeChanged> trees;

    @POST
    @ResponseStatus(201)
    @PlaneAction("workspace.create")
    @Operation(operationId = "createWorkspace", summary = "Makes a workspace")
    @APIResponseSchema(value = Views.Workspace.class, responseCode = "201")
    public Uni<Views.Workspace> createWorkspace(Drafts.@Nullable Workspace draft) {
        Fields fields = new Fields();
        Drafts.Workspace wanted = Fields.body(draft);
        String slug = fields.slug("/slug", wanted.slug());
        String name = fields.nameOr("/name", wanted.name(), slug);
        fields.check();
        WorkspaceRow row = plane.workspace(tenant(), slug, name);
        return plane.change(session -> plane.created(
                        session, call.auditContext(), row, "workspace.created", row.id, Map.of("slug", slug))
                .map(_ -> Views.Workspace.of(row)));
    }

    @GET
    @PlaneAction("workspace.read")
    @Operation(operationId = "listWorkspaces", summary = "The workspaces of the tenant")
    public Uni<Views.Page<Views.Workspace>> listWorkspaces(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        Paging paging = Paging.of(limit, cursor);
        return plane.read(session -> ControlPlane.page(
                        session, WorkspaceRow.class, "tenantId = :tenant", Map.of("tenant", tenant().value()), paging))
                .map(rows -> paging.page(rows, row -> row.id, Views.Workspace::of));
    }

    @GET
    @Path("/{workspace}")
    @PlaneAction("workspace.read")
    @Operation(operationId = "getWorkspace", summary = "One workspace, by id or slug")
    public Uni<Views.Workspace> getWorkspace() {
        return plane.read(
                        session -> session.find(WorkspaceRow.class, workspace().value()))
                .onItem()
                .ifNull()
                .failWith(Refusal::notFound)
                .map(Views.Workspace::of);
    }

    @POST
    @Path("/{workspace}/projects")
    @ResponseStatus(201)
    @PlaneAction("project.create")
    @Operation(operationId = "createProject", summary = "Makes a project")
    @APIResponseSchema(value = Views.Project.class, responseCode = "201")
    public Uni<Views.Project> createProject(Drafts.@Nullable Project draft) {
        Fields fields = new Fields();
        Drafts.Project wanted = Fields.body(draft);
        String slug = fields.slug("/slug", wanted.slug());
        String name = fields.nameOr("/name", wanted.name(), slug);
        String settings = ProjectSettings.text(fields, "/settings", wanted.settings(), runtimes);
        fields.check();
        ProjectRow row = plane.project(tenant(), workspace(), slug, name, settings);
        return plane.change(session -> plane.created(
                                session,
                                call.auditContext(),
                                row,
                                "project.created",
                                row.id,
                                Map.of("slug", slug, "workspace", row.workspaceId))
                        .map(_ -> Views.Project.of(row)))
                .invoke(() -> runtimes.prepare(ProjectSettings.runtime(settings)));
    }

    @GET
    @Path("/{workspace}/projects")
    @PlaneAction("project.read")
    @Operation(operationId = "listProjectsOfWorkspace", summary = "The projects of a workspace that the token may see")
    public Uni<Views.Page<Views.Project>> listProjects(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        Paging paging = Paging.of(limit, cursor);
        return ProjectsResource.visible(
                plane,
                current.get(),
                "tenantId = :tenant and workspaceId = :workspace",
                Map.of("tenant", tenant().value(), "workspace", workspace().value()),
                paging);
    }

    @GET
    @Path("/{workspace}/projects/{project}")
    @PlaneAction("project.read")
    @Operation(operationId = "getProject", summary = "One project, by ids or slugs")
    public Uni<Views.Project> getProject() {
        return plane.read(session ->
                        session.find(ProjectRow.class, call.scope().project().value()))
                .onItem()
                .ifNull()
                .failWith(Refusal::notFound)
                .map(Views.Project::of);
    }

    /** Whoever may make a project may set how it behaves. */
    @PUT
    @Path("/{workspace}/projects/{project}/settings")
    @PlaneAction("project.create")
    @Operation(
            operationId = "setProjectSettings",
            summary = "Sets how a project behaves",
            description = "Replaces its settings; those that are left out are as at first.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ProjectSettings")))
    public Uni<Views.Project> setSettings(@Nullable JsonNode settings) {
        Fields fields = new Fields();
        String text = ProjectSettings.text(fields, "", Fields.body(settings), runtimes);
        fields.check();
        String runtime = ProjectSettings.runtime(text);
        return plane.change(session -> session.find(
                                ProjectRow.class, call.scope().project().value())
                        .onItem()
                        .ifNull()
                        .failWith(Refusal::notFound)
                        .chain(row -> changed(session, row, text, runtime)))
                .invoke(changed -> {
                    if (changed.otherRuntime()) {
                        runtimes.prepare(runtime);
                        trees.fire(new TreeChanged(call.scope()));
                    }
                })
                .map(Changed::project);
    }

    /** What the change of a project's settings came to. */
    private record Changed(Views.Project project, boolean otherRuntime) {}

    private Uni<Changed> changed(Mutiny.Session session, ProjectRow row, String text, String runtime) {
        boolean other = !ProjectSettings.runtime(row.settings).equals(runtime);
        row.settings = text;
        return plane.changed(session, call.auditContext(), "project.settings", row.id, ProjectSettings.facts(text))
                .call(() -> other
                        ? Trees.toBeSealedAnew(session, call.scope(), Causes.of(call))
                        : Uni.createFrom().voidItem())
                .map(_ -> new Changed(Views.Project.of(row), other));
    }

    private TenantId tenant() {
        return call.principal().tenant();
    }

    private WorkspaceId workspace() {
        return call.workspace().orElseThrow(() -> new IllegalStateException("the path names no workspace"));
    }
}
