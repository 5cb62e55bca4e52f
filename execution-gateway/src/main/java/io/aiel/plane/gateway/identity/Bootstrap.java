package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * Makes the first principals and tokens, which no call can make because every call needs a token. For whoever starts the
 * server, never for a request.
 *
 * <p>Subscribe on a Vert.x context, such as with {@code VertxContextSupport.subscribeAndAwait}. Idempotent: what is there is
 * kept. Two servers that start at once wait for each other.
 */
@Singleton
public final class Bootstrap {
    private static final Duration DEVELOPMENT_TOKEN = Duration.ofDays(30);
    // Any constant: it names the lock that makes bootstraps follow each other.
    private static final long LOCK = 0x61_69_65_6c_70L;

    private final ControlPlane plane;
    private final Authentication authentication;
    private final IdentityConfig config;

    Bootstrap(ControlPlane plane, Authentication authentication, IdentityConfig config) {
        this.plane = plane;
        this.authentication = authentication;
        this.config = config;
    }

    /**
     * Makes the tenant {@code development} with workspace {@code demo}, project {@code hello} and a user with every role, where
     * they are missing, and gives a token with every scope for that user.
     *
     * @param existing a token from an earlier time: it is given back when it still works, so that what holds it goes on
     * @return the token itself
     */
    public Uni<String> ensureDevelopment(Optional<String> existing) {
        return existing.flatMap(TokenSecret::parse)
                .map(token -> authentication.authenticate(token).map(caller -> caller.map(_ -> token.reveal())))
                .orElseGet(() -> Uni.createFrom().item(Optional.empty()))
                .chain(kept -> kept.map(token -> Uni.createFrom().item(token)).orElseGet(this::development));
    }

    /** As {@link #ensureDevelopment(Optional)} without a token from before. */
    public Uni<String> ensureDevelopment() {
        return ensureDevelopment(Optional.empty());
    }

    /**
     * Makes the tenant {@code platform} with a service account for its operator, where they are missing, and a new token that
     * may make tenants. To be printed once; it cannot be had again.
     *
     * @param tokenName what the token is called in lists
     * @return the token itself
     */
    public Uni<String> ensurePlatform(String tokenName) {
        return plane.change(session -> lock(session)
                .chain(() -> tenant(session, "platform", "Platform"))
                .chain(tenant -> owner(session, tenant, PrincipalKind.SERVICE, "platform operator", null)
                        .chain(owner -> token(
                                session, tenant, owner, PrincipalKind.SERVICE, tokenName, config.tokenLifetime()))));
    }

    private Uni<String> development() {
        return plane.change(session -> lock(session)
                .chain(() -> tenant(session, "development", "Development"))
                .chain(tenant -> workspace(session, tenant)
                        .chain(workspace -> project(session, tenant, workspace))
                        .chain(() -> owner(
                                session, tenant, PrincipalKind.USER, "Developer", "developer@development.invalid"))
                        .chain(owner ->
                                token(session, tenant, owner, PrincipalKind.USER, "development", DEVELOPMENT_TOKEN))));
    }

    private static Uni<Void> lock(Mutiny.Session session) {
        // pg_advisory_xact_lock gives void, which has no Java type; the cast makes it a text.
        return session.createNativeQuery("select cast(pg_advisory_xact_lock(:lock) as text)", String.class)
                .setParameter("lock", LOCK)
                .getSingleResult()
                .replaceWithVoid();
    }

    private Uni<TenantId> tenant(Mutiny.Session session, String slug, String name) {
        return session.createSelectionQuery("from TenantRow where slug = :slug", TenantRow.class)
                .setParameter("slug", slug)
                .getSingleResultOrNull()
                .chain(found -> orCreate(
                        session,
                        found,
                        () -> plane.tenant(slug, name),
                        row -> context(row.id),
                        row -> new Made("tenant.created", row.id, Map.of("slug", slug))))
                .map(row -> new TenantId(row.id));
    }

    private Uni<WorkspaceId> workspace(Mutiny.Session session, TenantId tenant) {
        return session.createSelectionQuery(
                        "from WorkspaceRow where tenantId = :tenant and slug = 'demo'", WorkspaceRow.class)
                .setParameter("tenant", tenant.value())
                .getSingleResultOrNull()
                .chain(found -> orCreate(
                        session,
                        found,
                        () -> plane.workspace(tenant, "demo", "Demo"),
                        row -> context(row.tenantId),
                        row -> new Made("workspace.created", row.id, Map.of("slug", row.slug))))
                .map(row -> new WorkspaceId(row.id));
    }

    private Uni<ProjectRow> project(Mutiny.Session session, TenantId tenant, WorkspaceId workspace) {
        return session.createSelectionQuery(
                        "from ProjectRow where workspaceId = :workspace and slug = 'hello'", ProjectRow.class)
                .setParameter("workspace", workspace.value())
                .getSingleResultOrNull()
                .chain(found -> orCreate(
                        session,
                        found,
                        () -> plane.project(tenant, workspace, "hello", "Hello", "{}"),
                        row -> context(row.tenantId),
                        row -> new Made("project.created", row.id, Map.of("slug", row.slug))));
    }

    private Uni<PrincipalId> owner(
            Mutiny.Session session, TenantId tenant, PrincipalKind kind, String name, @Nullable String email) {
        return session.createSelectionQuery(
                        "from PrincipalRow where tenantId = :tenant and kind = :kind and name = :name and disabledAt is null",
                        PrincipalRow.class)
                .setParameter("tenant", tenant.value())
                .setParameter("kind", kind.wireName())
                .setParameter("name", name)
                .getSingleResultOrNull()
                .chain(found -> orCreate(
                        session,
                        found,
                        () -> plane.principal(tenant, kind, name, email),
                        row -> context(row.tenantId),
                        row -> new Made("principal.created", row.id, Map.of("kind", row.kind))))
                .map(row -> new PrincipalId(row.id))
                .call(id -> everyRole(session, tenant, id));
    }

    private Uni<Void> everyRole(Mutiny.Session session, TenantId tenant, PrincipalId owner) {
        return session.createSelectionQuery(
                        "select role from RoleGrantRow where principalId = :owner and workspaceId is null",
                        String.class)
                .setParameter("owner", owner.value())
                .getResultList()
                .chain(held -> {
                    Uni<Void> steps = Uni.createFrom().voidItem();
                    for (Role role : Role.values()) {
                        if (!held.contains(role.wireName())) {
                            RoleGrantRow row = plane.grant(
                                    tenant, owner, new Caller.Grant(role, Optional.empty(), Optional.empty()));
                            steps = steps.chain(() -> plane.created(
                                    session,
                                    context(tenant.value()),
                                    row,
                                    "grant.created",
                                    row.id,
                                    Map.of("principal", row.principalId, "role", row.role)));
                        }
                    }
                    return steps;
                });
    }

    private Uni<String> token(
            Mutiny.Session session,
            TenantId tenant,
            PrincipalId owner,
            PrincipalKind kind,
            String name,
            Duration lifetime) {
        ControlPlane.Minted minted = plane.token(
                tenant,
                Optional.empty(),
                new ControlPlane.TokenWish(
                        owner,
                        kind,
                        name,
                        Set.of(Scopes.ALL, Scopes.PLATFORM),
                        EnumSet.allOf(Role.class),
                        Optional.empty(),
                        Optional.empty(),
                        lifetime));
        return plane.created(
                        session,
                        context(tenant.value()),
                        minted.row(),
                        "token.created",
                        minted.row().id,
                        ControlPlane.facts(minted.row()))
                .map(_ -> minted.secret().reveal());
    }

    private record Made(String what, String id, Map<String, String> facts) {}

    private <R> Uni<R> orCreate(
            Mutiny.Session session,
            @Nullable R found,
            Supplier<R> create,
            java.util.function.Function<R, AuditContext> context,
            java.util.function.Function<R, Made> made) {
        if (found != null) {
            return Uni.createFrom().item(found);
        }
        R row = create.get();
        Made record = made.apply(row);
        return plane.created(session, context.apply(row), row, record.what(), record.id(), record.facts())
                .replaceWith(row);
    }

    private static AuditContext context(String tenant) {
        return ControlPlane.inside(new TenantId(tenant), Ids.create("req"), "");
    }
}
