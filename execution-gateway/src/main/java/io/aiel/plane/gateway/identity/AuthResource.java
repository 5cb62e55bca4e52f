package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Inject;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.hibernate.reactive.mutiny.Mutiny;

/** What a token's holder may ask and do about the token itself, whatever its roles and scopes are. */
@Path("/v1/auth")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Identity")
class AuthResource {
    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @GET
    @Path("/me")
    @PlaneAction(value = "auth.me", deferred = true)
    @Operation(operationId = "getMe", summary = "Who the token belongs to and what it may see")
    public Uni<Views.Me> me() {
        Caller caller = current.get();
        return plane.read(session -> session.find(
                        PrincipalRow.class, caller.id().value())
                .chain(principal -> session.find(
                                TenantRow.class, caller.tenant().value())
                        .chain(tenant -> me(session, caller, principal, tenant))));
    }

    private static Uni<Views.Me> me(Mutiny.Session session, Caller caller, PrincipalRow principal, TenantRow tenant) {
        return session.createSelectionQuery(
                        "from WorkspaceRow where tenantId = :tenant order by slug", WorkspaceRow.class)
                .setParameter("tenant", tenant.id)
                .getResultList()
                .chain(workspaces -> session.createSelectionQuery(
                                "from ProjectRow where tenantId = :tenant order by slug", ProjectRow.class)
                        .setParameter("tenant", tenant.id)
                        .getResultList()
                        .map(projects -> me(caller, principal, tenant, workspaces, projects)));
    }

    private static Views.Me me(
            Caller caller,
            PrincipalRow principal,
            TenantRow tenant,
            List<WorkspaceRow> workspaces,
            List<ProjectRow> projects) {
        return new Views.Me(
                principal.id,
                principal.id,
                principal.email,
                principal.name,
                principal.kind,
                tenant.id,
                tenant.name,
                new TreeSet<>(caller.scopes()),
                workspaces.stream()
                        .filter(row -> caller.maySee(new WorkspaceId(row.id)))
                        .map(row ->
                                new Views.MeWorkspace(row.id, row.slug, row.name, projectsOf(row, projects, caller)))
                        .toList());
    }

    private static List<Views.MeProject> projectsOf(WorkspaceRow workspace, List<ProjectRow> projects, Caller caller) {
        return projects.stream()
                .filter(row -> row.workspaceId.equals(workspace.id))
                .filter(row -> caller.maySee(new WorkspaceId(workspace.id), new ProjectId(row.id)))
                .map(row -> new Views.MeProject(row.id, row.slug, row.name))
                .toList();
    }

    @POST
    @Path("/revoke")
    @PlaneAction(value = "auth.revoke", deferred = true)
    @Operation(
            operationId = "revokeOwnTokens",
            summary = "Ends the token of this call, or with all=1 all of its owner's")
    public Uni<Views.Revoked> revoke(@QueryParam("all") @DefaultValue("0") String all) {
        Caller caller = current.get();
        boolean every = all.equals("1") || all.equals("true");
        String which = every ? caller.id().value() : caller.token().value();
        return plane.change(session -> session.createMutationQuery(
                        "update TokenRow set revokedAt = :now where revokedAt is null and "
                                + (every ? "principalId = :which" : "id = :which"))
                .setParameter("now", plane.now())
                .setParameter("which", which)
                .executeUpdate()
                .call(count -> plane.changed(
                        session,
                        call.auditContext(),
                        "token.revoked",
                        which,
                        Map.of("all", Boolean.toString(every), "count", Integer.toString(count))))
                .map(Views.Revoked::new));
    }
}
