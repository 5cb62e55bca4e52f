package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Inject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** Tenants. Only a token with the platform scope sees others than its own, or makes one. */
@Path("/v1/tenants")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@Tag(name = "Control plane")
class TenantsResource {
    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @Inject
    IdentityConfig config;

    @POST
    @ResponseStatus(201)
    @PlaneAction("tenant.create")
    @Operation(operationId = "createTenant", summary = "Makes a tenant, optionally with its first administrator")
    @APIResponseSchema(value = Views.Tenant.class, responseCode = "201")
    public Uni<Views.Tenant> create(Drafts.@Nullable Tenant draft) {
        Fields fields = new Fields();
        Drafts.Tenant wanted = Fields.body(draft);
        String slug = fields.slug("/slug", wanted.slug());
        String name = fields.nameOr("/name", wanted.name(), slug);
        Drafts.Admin admin = wanted.admin();
        String email = admin == null ? "" : fields.email("/admin/email", admin.email());
        String adminName = admin == null ? "" : fields.nameOr("/admin/name", admin.name(), email);
        fields.check();
        // The policy says so too; crossing the border between tenants is not left to one rule.
        Grants.checkScopes(current.get(), Set.of(Scopes.PLATFORM));
        TenantRow tenant = plane.tenant(slug, name);
        return plane.change(session -> plane.created(
                        session, call.auditContext(), tenant, "tenant.created", tenant.id, Map.of("slug", slug))
                .chain(() -> admin == null
                        ? Uni.createFrom().item(Views.Tenant.of(tenant))
                        : firstAdmin(session, tenant, email, adminName)));
    }

    private Uni<Views.Tenant> firstAdmin(Mutiny.Session session, TenantRow tenant, String email, String name) {
        TenantId id = new TenantId(tenant.id);
        PrincipalRow principal = plane.principal(id, PrincipalKind.USER, name, email);
        PrincipalId admin = new PrincipalId(principal.id);
        RoleGrantRow grant = plane.grant(id, admin, new Caller.Grant(Role.ADMIN, Optional.empty(), Optional.empty()));
        ControlPlane.Minted token = plane.token(
                id,
                Optional.empty(),
                new ControlPlane.TokenWish(
                        admin,
                        PrincipalKind.USER,
                        "first administrator",
                        Set.of(Scopes.ALL),
                        EnumSet.allOf(Role.class),
                        Optional.empty(),
                        Optional.empty(),
                        config.tokenLifetime()));
        // What happens inside the new tenant is recorded in its own stream.
        AuditContext inside = ControlPlane.inside(id, call.requestId(), call.traceparent());
        return plane.created(session, inside, principal, "principal.created", principal.id, Map.of("kind", "user"))
                .chain(() ->
                        plane.created(session, inside, grant, "grant.created", grant.id, Map.of("role", grant.role)))
                .chain(() -> plane.created(
                        session, inside, token.row(), "token.created", token.row().id, ControlPlane.facts(token.row())))
                .map(_ -> Views.Tenant.of(
                        tenant,
                        new Views.CreatedAdmin(
                                principal.id, token.row().id, token.secret().reveal(), token.row().expiresAt)));
    }

    @GET
    @PlaneAction("tenant.read")
    @Operation(operationId = "listTenants", summary = "The tenants that the token may see")
    public Uni<Views.Page<Views.Tenant>> list(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        Paging paging = Paging.of(limit, cursor);
        boolean all = seesAll();
        return plane.read(session -> ControlPlane.page(
                        session,
                        TenantRow.class,
                        all ? "1 = 1" : "id = :own",
                        all ? Map.of() : Map.of("own", call.principal().tenant().value()),
                        paging))
                .map(rows -> paging.page(rows, row -> row.id, Views.Tenant::of));
    }

    @GET
    @Path("/{tenant}")
    @PlaneAction("tenant.read")
    @Operation(operationId = "getTenant", summary = "One tenant")
    public Uni<Views.Tenant> get(@PathParam("tenant") String tenant) {
        TenantId id = Refusal.orNotFound(() -> TenantId.parse(tenant));
        if (!id.equals(call.principal().tenant()) && !seesAll()) {
            throw Refusal.notFound();
        }
        return plane.read(session -> session.find(TenantRow.class, id.value()))
                .onItem()
                .ifNull()
                .failWith(Refusal::notFound)
                .map(Views.Tenant::of);
    }

    private boolean seesAll() {
        return Scopes.covers(current.get().scopes(), Scopes.PLATFORM);
    }
}
