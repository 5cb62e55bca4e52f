package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.hibernate.JDBCException;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * Reads and changes what exists in a tenant. Each change is one transaction with its audit record: both are kept or neither.
 * Thread-safe; call from an event loop's request context.
 */
@Singleton
final class ControlPlane {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    /** A change may be slow, but only while the database answers others: after this time it is asked. */
    private static final Duration PATIENCE = Duration.ofMillis(1_200);

    private static final Duration PING_LIMIT = Duration.ofMillis(500);
    private static final String UNIQUE_VIOLATION = "23505";

    private final Pool database;
    private final Mutiny.SessionFactory sessions;
    private final ControlAudit audit;
    private final Authentication authentication;
    private final Clock clock;

    ControlPlane(
            Pool database,
            Mutiny.SessionFactory sessions,
            ControlAudit audit,
            Authentication authentication,
            Clock clock) {
        this.database = database;
        this.sessions = sessions;
        this.audit = audit;
        this.authentication = authentication;
        this.clock = clock;
    }

    /** A new token and what is kept of it. */
    record Minted(TokenRow row, TokenSecret secret) {}

    /** What a new token is to be. */
    record TokenWish(
            PrincipalId principal,
            PrincipalKind kind,
            String name,
            Set<String> scopes,
            Set<Role> roles,
            Optional<WorkspaceId> workspace,
            Optional<ProjectId> project,
            Duration lifetime) {}

    /** Runs {@code work} in one read-only session. */
    <T> Uni<T> read(Function<Mutiny.Session, Uni<T>> work) {
        return bounded(Uni.createFrom()
                .deferred(() -> sessions.withSession(session -> {
                    session.setDefaultReadOnly(true);
                    return work.apply(session);
                })));
    }

    /** Fails soon when the database is away, and later when it is only slow; the work goes on to its end either way. */
    private <T> Uni<T> bounded(Uni<T> work) {
        // Deferred, so that whoever tries again does the work again and is not told of the first failure once more.
        return Uni.createFrom().deferred(() -> {
            Uni<T> once = work.memoize().indefinitely();
            return once.ifNoItem()
                    .after(PATIENCE)
                    .recoverWithUni(() -> database.query("SELECT 1")
                            .execute()
                            .ifNoItem()
                            .after(PING_LIMIT)
                            .fail()
                            .chain(() -> once.ifNoItem().after(LIMIT).fail()));
        });
    }

    /**
     * Runs {@code work} in one transaction. After the commit nothing that was known of tokens is believed any more. A value that
     * must be unique and is not ends in {@link ErrorCode#ALREADY_EXISTS}.
     */
    <T> Uni<T> change(Function<Mutiny.Session, Uni<T>> work) {
        return bounded(Uni.createFrom().deferred(() -> sessions.withTransaction((session, _) -> work.apply(session))))
                .onFailure(ControlPlane::duplicate)
                .transform(_ -> new Refusal(
                        ErrorCode.ALREADY_EXISTS, "There is one with this slug, name or e-mail address already."))
                // After a failure, too: a commit whose answer was lost may have happened.
                .onTermination()
                .invoke(authentication::forgetAll);
    }

    /** Writes the row, so that a duplicate shows here, and then the record of it. */
    Uni<Void> created(
            Mutiny.Session session,
            AuditContext context,
            Object row,
            String what,
            String id,
            Map<String, String> facts) {
        return session.persist(row)
                .chain(session::flush)
                .chain(() -> audit.record(session, context, new AuditEvent.ControlChanged(what, id, facts)));
    }

    /** Records a change that was made by other means. */
    Uni<Void> changed(Mutiny.Session session, AuditContext context, String what, String id, Map<String, String> facts) {
        return session.flush()
                .chain(() -> audit.record(session, context, new AuditEvent.ControlChanged(what, id, facts)));
    }

    TenantRow tenant(String slug, String name) {
        TenantRow row = new TenantRow();
        row.id = TenantId.create().value();
        row.slug = slug;
        row.name = name;
        row.createdAt = now();
        return row;
    }

    WorkspaceRow workspace(TenantId tenant, String slug, String name) {
        WorkspaceRow row = new WorkspaceRow();
        row.id = WorkspaceId.create().value();
        row.tenantId = tenant.value();
        row.slug = slug;
        row.name = name;
        row.createdAt = now();
        return row;
    }

    ProjectRow project(TenantId tenant, WorkspaceId workspace, String slug, String name, String settings) {
        ProjectRow row = new ProjectRow();
        row.id = ProjectId.create().value();
        row.tenantId = tenant.value();
        row.workspaceId = workspace.value();
        row.slug = slug;
        row.name = name;
        row.settings = settings;
        row.createdAt = now();
        return row;
    }

    PrincipalRow principal(TenantId tenant, PrincipalKind kind, String name, @Nullable String email) {
        PrincipalRow row = new PrincipalRow();
        row.id = PrincipalId.create().value();
        row.tenantId = tenant.value();
        row.kind = kind.wireName();
        row.name = name;
        row.email = email;
        row.createdAt = now();
        return row;
    }

    RoleGrantRow grant(TenantId tenant, PrincipalId principal, Caller.Grant grant) {
        RoleGrantRow row = new RoleGrantRow();
        row.id = Ids.create("grant");
        row.tenantId = tenant.value();
        row.principalId = principal.value();
        row.role = grant.role().wireName();
        row.workspaceId = grant.workspace().map(WorkspaceId::value).orElse(null);
        row.projectId = grant.project().map(ProjectId::value).orElse(null);
        row.createdAt = now();
        return row;
    }

    Minted token(TenantId tenant, Optional<PrincipalId> maker, TokenWish wish) {
        return token(
                tenant,
                maker,
                wish,
                TokenSecret.mint(wish.kind() == PrincipalKind.USER ? TokenKind.USER : TokenKind.SERVICE));
    }

    Minted token(TenantId tenant, Optional<PrincipalId> maker, TokenWish wish, TokenSecret secret) {
        TokenRow row = new TokenRow();
        row.id = TokenId.create().value();
        row.tenantId = tenant.value();
        row.principalId = wish.principal().value();
        row.name = wish.name();
        row.kind = secret.kind().label();
        row.hash = secret.hash().value();
        row.scopes = Scopes.join(wish.scopes());
        row.roles = Authentication.Roles.join(wish.roles());
        row.workspaceId = wish.workspace().map(WorkspaceId::value).orElse(null);
        row.projectId = wish.project().map(ProjectId::value).orElse(null);
        row.createdAt = now();
        row.createdBy = maker.map(PrincipalId::value).orElse(null);
        row.expiresAt = row.createdAt.plus(wish.lifetime());
        return new Minted(row, secret);
    }

    /** The context of what the plane itself does inside a tenant. */
    static AuditContext inside(TenantId tenant, String requestId, String traceparent) {
        return new AuditContext(tenant, Optional.empty(), Optional.empty(), Optional.empty(), requestId, traceparent);
    }

    /** The facts of a token that go into its record; nothing of its secret. */
    static Map<String, String> facts(TokenRow row) {
        return Map.of(
                "principal",
                row.principalId,
                "name",
                row.name,
                "scopes",
                row.scopes,
                "roles",
                row.roles,
                "expires_at",
                row.expiresAt.toString());
    }

    /** The rows of one page, ordered by id, which is the order of creation; one more than asked for when there are more. */
    static <T> Uni<List<T>> page(
            Mutiny.Session session, Class<T> type, String where, Map<String, Object> parameters, Paging paging) {
        String query = "from " + type.getSimpleName() + " where " + where + " and id > :cursor order by id";
        Mutiny.SelectionQuery<T> selection = session.createSelectionQuery(query, type)
                .setParameter("cursor", paging.cursor())
                .setMaxResults(paging.limit() + 1);
        parameters.forEach(selection::setParameter);
        return selection.getResultList();
    }

    Instant now() {
        // PostgreSQL keeps microseconds; what is answered now must equal what is read later.
        return clock.instant().truncatedTo(ChronoUnit.MICROS);
    }

    private static boolean duplicate(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof JDBCException refused && UNIQUE_VIOLATION.equals(refused.getSQLState())) {
                return true;
            }
        }
        return false;
    }
}
