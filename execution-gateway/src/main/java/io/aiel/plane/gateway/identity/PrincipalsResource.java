package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Inject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** Users and service accounts of the caller's tenant, and their roles. */
@Path("/v1/principals")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@Tag(name = "Control plane")
class PrincipalsResource {
    private static final int GRANTS_MAX = 64;

    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @Inject
    Directory directory;

    @POST
    @ResponseStatus(201)
    @PlaneAction("principal.create")
    @Operation(operationId = "createPrincipal", summary = "Makes a user or a service account, with roles")
    @APIResponseSchema(value = Views.Principal.class, responseCode = "201")
    public Uni<Views.Principal> create(Drafts.@Nullable Principal draft) {
        Fields fields = new Fields();
        Drafts.Principal wanted = Fields.body(draft);
        boolean user = "user".equals(wanted.kind());
        if (!user && !"service".equals(wanted.kind())) {
            fields.wrong("/kind", "must be user or service");
        }
        String email = user ? fields.email("/email", wanted.email()) : null;
        if (!user && wanted.email() != null) {
            fields.wrong("/email", "only users have one");
        }
        String name =
                email == null ? fields.name("/name", wanted.name()) : fields.nameOr("/name", wanted.name(), email);
        List<Drafts.@Nullable Grant> drafts = wanted.grants() == null ? List.of() : wanted.grants();
        if (drafts.size() > GRANTS_MAX) {
            fields.wrong("/grants", "must not be more than " + GRANTS_MAX);
        }
        List<WantedGrant> wishes = new ArrayList<>();
        for (int i = 0; i < Math.min(drafts.size(), GRANTS_MAX); i++) {
            wishes.add(wanted(fields, "/grants/" + i, drafts.get(i)));
        }
        fields.check();
        PrincipalRow row = plane.principal(tenant(), user ? PrincipalKind.USER : PrincipalKind.SERVICE, name, email);
        return Multi.createFrom()
                .iterable(wishes)
                .onItem()
                .transformToUniAndConcatenate(this::placed)
                .collect()
                .asList()
                .chain(grants -> plane.change(session -> insert(session, row, grants)));
    }

    private Uni<Views.Principal> insert(Mutiny.Session session, PrincipalRow row, List<Caller.Grant> grants) {
        List<RoleGrantRow> rows = new ArrayList<>();
        Uni<Void> steps =
                plane.created(session, call.auditContext(), row, "principal.created", row.id, Map.of("kind", row.kind));
        for (Caller.Grant grant : grants) {
            RoleGrantRow grantRow = plane.grant(tenant(), new PrincipalId(row.id), grant);
            rows.add(grantRow);
            steps = steps.chain(() -> granted(session, grantRow));
        }
        return steps.map(_ -> Views.Principal.of(row, rows));
    }

    @GET
    @PlaneAction("principal.read")
    @Operation(operationId = "listPrincipals", summary = "The users and service accounts of the tenant")
    public Uni<Views.Page<Views.Principal>> list(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        Paging paging = Paging.of(limit, cursor);
        return plane.read(session -> ControlPlane.page(
                        session, PrincipalRow.class, "tenantId = :tenant", Map.of("tenant", tenant().value()), paging)
                .chain(rows -> grants(session, rows.stream().map(row -> row.id).toList())
                        .map(grants -> paging.page(rows, row -> row.id, row -> view(row, grants)))));
    }

    @GET
    @Path("/{principal}")
    @PlaneAction("principal.read")
    @Operation(operationId = "getPrincipal", summary = "One user or service account")
    public Uni<Views.Principal> get(@PathParam("principal") String principal) {
        PrincipalId id = Refusal.orNotFound(() -> PrincipalId.parse(principal));
        return plane.read(session ->
                find(session, id).chain(row -> grants(session, List.of(row.id)).map(grants -> view(row, grants))));
    }

    @DELETE
    @Path("/{principal}")
    @PlaneAction("principal.create")
    @Operation(operationId = "disablePrincipal", summary = "Disables a principal: none of its tokens works any more")
    public Uni<Views.Principal> disable(@PathParam("principal") String principal) {
        PrincipalId id = Refusal.orNotFound(() -> PrincipalId.parse(principal));
        return plane.change(session -> find(session, id)
                .invoke(row -> row.disabledAt = row.disabledAt == null ? plane.now() : row.disabledAt)
                .call(_ -> plane.changed(session, call.auditContext(), "principal.disabled", id.value(), Map.of()))
                .chain(row -> grants(session, List.of(row.id)).map(grants -> view(row, grants))));
    }

    @POST
    @Path("/{principal}/grants")
    @ResponseStatus(201)
    @PlaneAction("principal.create")
    @Operation(operationId = "grantRole", summary = "Gives a role, in the tenant, a workspace or a project")
    @APIResponseSchema(value = Views.Grant.class, responseCode = "201")
    public Uni<Views.Grant> addGrant(@PathParam("principal") String principal, Drafts.@Nullable Grant draft) {
        PrincipalId id = Refusal.orNotFound(() -> PrincipalId.parse(principal));
        Fields fields = new Fields();
        WantedGrant wish = wanted(fields, "", Fields.body(draft));
        fields.check();
        return placed(wish)
                .chain(grant -> plane.change(session -> {
                    RoleGrantRow row = plane.grant(tenant(), id, grant);
                    return find(session, id).chain(() -> granted(session, row)).map(_ -> Views.Grant.of(row));
                }));
    }

    @DELETE
    @Path("/{principal}/grants/{grant}")
    @PlaneAction("principal.create")
    @Operation(operationId = "withdrawRole", summary = "Takes a role away")
    public Uni<Views.Grant> removeGrant(@PathParam("principal") String principal, @PathParam("grant") String grant) {
        PrincipalId id = Refusal.orNotFound(() -> PrincipalId.parse(principal));
        return plane.change(session -> session.createSelectionQuery(
                        "from RoleGrantRow where tenantId = :tenant and principalId = :principal and id = :id",
                        RoleGrantRow.class)
                .setParameter("tenant", tenant().value())
                .setParameter("principal", id.value())
                .setParameter("id", grant)
                .getSingleResultOrNull()
                .onItem()
                .ifNull()
                .failWith(Refusal::notFound)
                .call(session::remove)
                .call(row -> plane.changed(session, call.auditContext(), "grant.removed", row.id, facts(row)))
                .map(Views.Grant::of));
    }

    private Uni<Void> granted(Mutiny.Session session, RoleGrantRow row) {
        return plane.created(session, call.auditContext(), row, "grant.created", row.id, facts(row));
    }

    /** A grant whose fields are sound, but whose place was not looked up. */
    private record WantedGrant(
            String pointer, Optional<Role> role, Optional<String> workspace, Optional<String> project) {}

    private static WantedGrant wanted(Fields fields, String pointer, Drafts.@Nullable Grant draft) {
        if (draft == null) {
            fields.wrong(pointer, "needs an object with a role");
            return new WantedGrant(pointer, Optional.empty(), Optional.empty(), Optional.empty());
        }
        if (draft.project() != null && draft.workspace() == null) {
            fields.wrong(pointer + "/workspace", "is needed with a project");
        }
        return new WantedGrant(
                pointer,
                Optional.ofNullable(fields.role(pointer + "/role", draft.role())),
                Optional.ofNullable(draft.workspace()),
                Optional.ofNullable(draft.project()));
    }

    /** Looks up where the role is to hold, and checks that the caller has it there. */
    private Uni<Caller.Grant> placed(WantedGrant wish) {
        return Places.find(directory, current.get(), wish.pointer(), wish.workspace(), wish.project())
                .map(place -> new Caller.Grant(wish.role().orElseThrow(), place.workspace(), place.project()))
                .invoke(grant -> Grants.checkGrant(current.get(), grant));
    }

    private Uni<PrincipalRow> find(Mutiny.Session session, PrincipalId id) {
        return session.find(PrincipalRow.class, id.value())
                .map(row -> Optional.ofNullable(row)
                        .filter(found -> Objects.equals(found.tenantId, tenant().value()))
                        .orElseThrow(Refusal::notFound));
    }

    private Uni<List<RoleGrantRow>> grants(Mutiny.Session session, List<String> principals) {
        return session.createSelectionQuery(
                        "from RoleGrantRow where tenantId = :tenant and principalId in (:principals) order by id",
                        RoleGrantRow.class)
                .setParameter("tenant", tenant().value())
                .setParameter("principals", principals)
                .getResultList();
    }

    private static Views.Principal view(PrincipalRow row, List<RoleGrantRow> grants) {
        return Views.Principal.of(
                row,
                grants.stream()
                        .filter(grant -> grant.principalId.equals(row.id))
                        .toList());
    }

    private static Map<String, String> facts(RoleGrantRow row) {
        return Map.of(
                "principal",
                row.principalId,
                "role",
                row.role,
                "workspace",
                row.workspaceId == null ? "" : row.workspaceId,
                "project",
                row.projectId == null ? "" : row.projectId);
    }

    private TenantId tenant() {
        return call.principal().tenant();
    }
}
