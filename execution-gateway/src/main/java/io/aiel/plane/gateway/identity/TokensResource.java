package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
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
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** Access tokens of the caller's tenant. The token itself is in the answer to its creation and nowhere else, ever. */
@Path("/v1/tokens")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@Tag(name = "Control plane")
class TokensResource {
    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    ControlPlane plane;

    @Inject
    Directory directory;

    @Inject
    IdentityConfig config;

    @POST
    @ResponseStatus(201)
    @PlaneAction("token.create")
    @Operation(operationId = "createToken", summary = "Makes a token; its secret is in this answer only")
    @APIResponseSchema(value = Views.Token.class, responseCode = "201")
    public Uni<Views.Token> create(Drafts.@Nullable Token draft) {
        Fields fields = new Fields();
        Drafts.Token wanted = Fields.body(draft);
        Caller caller = current.get();
        String name = fields.name("/name", wanted.name());
        Set<String> scopes = fields.scopes("/scopes", wanted.scopes());
        List<@Nullable String> roleNames = wanted.roles();
        Optional<Set<Role>> roles =
                roleNames == null ? Optional.empty() : Optional.of(fields.roles("/roles", roleNames));
        Duration lifetime = lifetime(fields, wanted.expiresInSeconds());
        PrincipalId owner = owner(fields, wanted.principalId(), caller);
        if (wanted.project() != null && wanted.workspace() == null) {
            fields.wrong("/workspace", "is needed with a project");
        }
        fields.check();
        Grants.checkScopes(caller, scopes);
        boolean own = owner.equals(caller.id());
        if (!own) {
            // A token for somebody else acts as that principal, so only an administrator makes one.
            Grants.checkRoles(caller.rolesInTenant(), Set.of(Role.ADMIN));
        }
        Set<Role> mayGive = own ? caller.tokenRoles() : caller.rolesInTenant();
        roles.ifPresent(given -> Grants.checkRoles(mayGive, given));
        return Places.find(
                        directory,
                        caller,
                        "",
                        Optional.ofNullable(wanted.workspace()),
                        Optional.ofNullable(wanted.project()))
                .invoke(place -> checkConfinement(caller, place))
                .chain(place -> plane.change(session -> principal(session, owner)
                        .map(row -> plane.token(
                                tenant(),
                                Optional.of(caller.id()),
                                new ControlPlane.TokenWish(
                                        owner,
                                        PrincipalKind.valueOf(row.kind.toUpperCase(Locale.ROOT)),
                                        name,
                                        scopes,
                                        roles.orElse(mayGive),
                                        place.workspace(),
                                        place.project(),
                                        lifetime)))
                        .chain(minted -> keep(session, minted))));
    }

    private Uni<Views.Token> keep(Mutiny.Session session, ControlPlane.Minted minted) {
        TokenRow row = minted.row();
        return plane.created(session, call.auditContext(), row, "token.created", row.id, ControlPlane.facts(row))
                .map(_ -> Views.Token.of(row, minted.secret().reveal()));
    }

    @GET
    @PlaneAction("token.read")
    @Operation(
            operationId = "listTokens",
            summary = "The tokens of the tenant, or of one principal; never their secrets")
    public Uni<Views.Page<Views.Token>> list(
            @QueryParam("principal") @Nullable String principal,
            @QueryParam("limit") @Nullable String limit,
            @QueryParam("cursor") @Nullable String cursor) {
        Paging paging = Paging.of(limit, cursor);
        Map<String, Object> parameters = new HashMap<>(Map.of("tenant", tenant().value()));
        if (principal != null) {
            parameters.put("principal", principal);
        }
        String where = "tenantId = :tenant" + (principal == null ? "" : " and principalId = :principal");
        return plane.read(session -> ControlPlane.page(session, TokenRow.class, where, parameters, paging))
                .map(rows -> paging.page(rows, row -> row.id, row -> Views.Token.of(row, null)));
    }

    @GET
    @Path("/{token}")
    @PlaneAction("token.read")
    @Operation(operationId = "getToken", summary = "One token, without its secret")
    public Uni<Views.Token> get(@PathParam("token") String token) {
        TokenId id = Refusal.orNotFound(() -> TokenId.parse(token));
        return plane.read(session -> find(session, id)).map(row -> Views.Token.of(row, null));
    }

    @DELETE
    @Path("/{token}")
    @PlaneAction("token.revoke")
    @Operation(operationId = "revokeToken", summary = "Ends a token; does nothing when it has ended")
    public Uni<Views.Token> revoke(@PathParam("token") String token) {
        TokenId id = Refusal.orNotFound(() -> TokenId.parse(token));
        return plane.change(session -> find(session, id).chain(row -> {
            if (row.revokedAt != null) {
                return Uni.createFrom().item(Views.Token.of(row, null));
            }
            row.revokedAt = plane.now();
            return plane.changed(
                            session,
                            call.auditContext(),
                            "token.revoked",
                            row.id,
                            Map.of("principal", row.principalId, "name", row.name))
                    .map(_ -> Views.Token.of(row, null));
        }));
    }

    private Uni<TokenRow> find(Mutiny.Session session, TokenId id) {
        return session.find(TokenRow.class, id.value())
                .map(row -> Optional.ofNullable(row)
                        .filter(found -> Objects.equals(found.tenantId, tenant().value()))
                        .orElseThrow(Refusal::notFound));
    }

    private Uni<PrincipalRow> principal(Mutiny.Session session, PrincipalId id) {
        return session.find(PrincipalRow.class, id.value())
                .map(row -> Optional.ofNullable(row)
                        .filter(found -> Objects.equals(found.tenantId, tenant().value()) && found.disabledAt == null)
                        .orElseThrow(() -> Refusal.invalid("/principal_id", "there is no such principal")));
    }

    private static PrincipalId owner(Fields fields, @Nullable String wanted, Caller caller) {
        try {
            return wanted == null ? caller.id() : PrincipalId.parse(wanted);
        } catch (IllegalArgumentException e) {
            fields.wrong("/principal_id", "there is no such principal");
            return caller.id();
        }
    }

    /** A confined token makes only tokens that are confined at least as much. */
    private static void checkConfinement(Caller caller, Places.Place place) {
        boolean within = (caller.confinedToWorkspace().isEmpty()
                        || caller.confinedToWorkspace().equals(place.workspace()))
                && (caller.confinedToProject().isEmpty()
                        || caller.confinedToProject().equals(place.project()));
        if (!within) {
            throw Grants.tooMuch("access to that workspace or project");
        }
    }

    private Duration lifetime(Fields fields, @Nullable Long seconds) {
        long max = config.tokenLifetimeMax().toSeconds();
        if (seconds != null && (seconds < 1 || seconds > max)) {
            fields.wrong("/expires_in_seconds", "must be 1 to " + max);
            return config.tokenLifetime();
        }
        return seconds == null ? config.tokenLifetime() : Duration.ofSeconds(seconds);
    }

    private TenantId tenant() {
        return call.principal().tenant();
    }
}
