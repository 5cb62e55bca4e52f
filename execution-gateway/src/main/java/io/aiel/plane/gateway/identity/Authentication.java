package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.MultiMap;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jboss.logging.Logger;

/**
 * Turns the headers of a request into a {@link Caller}. Thread-safe; call from an event loop.
 *
 * <p>Whatever is wrong with what was sent (nothing, malformed, unknown, expired, revoked, a disabled principal, two headers that
 * differ), the answer is the same empty one. Only a database that cannot be asked is different: that fails with a
 * {@link Refusal} of code {@link ErrorCode#NOT_READY}, because then nothing is known.
 */
@Singleton
final class Authentication {
    static final String API_TOKEN = "X-API-Token";
    static final String AUTHORIZATION = "Authorization";

    private static final Logger LOG = Logger.getLogger(Authentication.class);
    private static final String BEARER = "bearer ";
    private static final Duration CACHE_TTL_MAX = Duration.ofSeconds(2);
    private static final int SENT_MAX = 256;

    private static final String HOLDER = """
            SELECT t.id, t.tenant_id, t.principal_id, t.scopes, t.roles, t.workspace_id, t.project_id, t.expires_at,
                   p.kind, coalesce(p.email, p.name) AS display_name,
                   t.last_used_at IS NULL OR t.last_used_at < now() - interval '5 minutes' AS use_unrecorded,
                   (SELECT string_agg(concat_ws('|', g.role, g.workspace_id, g.project_id), ' ')
                      FROM role_grants g WHERE g.principal_id = p.id) AS grants
              FROM tokens t JOIN principals p ON p.id = t.principal_id
             WHERE %s AND t.revoked_at IS NULL AND p.disabled_at IS NULL
            """;

    private static final String NOT_EXPIRED = " AND t.expires_at > now()";

    private static final String BY_HASH = HOLDER.formatted("t.hash = $1" + NOT_EXPIRED);

    private static final String BY_ID = HOLDER.formatted("t.id = $1" + NOT_EXPIRED);

    private static final String BY_IDS = HOLDER.formatted("t.id = any($1::text[])" + NOT_EXPIRED);

    private static final String BY_ID_EXPIRED_OR_NOT = HOLDER.formatted("t.id = $1");

    private static final String RECORD_USE = "UPDATE tokens SET last_used_at = now() WHERE id = $1"
            + " AND (last_used_at IS NULL OR last_used_at < now() - interval '5 minutes')";

    private final Pool database;
    private final Duration lookupTimeout;
    private final Clock clock;
    private final BriefCache<Digest, Caller> callers;
    private final BriefCache<TokenId, Caller> holders;
    private final BriefCache<TokenId, Caller> askers;

    Authentication(Pool database, IdentityConfig config, Clock clock) {
        if (config.tokenCacheTtl().compareTo(CACHE_TTL_MAX) > 0) {
            throw new IllegalArgumentException("plane.identity.token-cache-ttl is " + config.tokenCacheTtl()
                    + "; it must not be above PT2S, because a revoked token would go on to work for that long");
        }
        this.database = database;
        this.lookupTimeout = config.lookupTimeout();
        this.clock = clock;
        this.callers = new BriefCache<>(config.tokenCacheTtl(), config.tokenCacheMax(), System::nanoTime);
        this.holders = new BriefCache<>(config.tokenCacheTtl(), config.tokenCacheMax(), System::nanoTime);
        this.askers = new BriefCache<>(config.tokenCacheTtl(), config.tokenCacheMax(), System::nanoTime);
    }

    /** Who sent these headers; empty when that is not proved. */
    Uni<Optional<Caller>> authenticate(MultiMap headers) {
        return authenticate(headers.getAll(API_TOKEN), headers.getAll(AUTHORIZATION));
    }

    /** The same, with the values of the two headers. */
    Uni<Optional<Caller>> authenticate(List<String> apiTokens, List<String> authorizations) {
        return presented(apiTokens, authorizations)
                .map(this::authenticate)
                .orElseGet(() -> Uni.createFrom().item(Optional.empty()));
    }

    /** Whose token this is; empty when it is nobody's or no longer valid. */
    Uni<Optional<Caller>> authenticate(TokenSecret token) {
        return callers.get(token.hash(), this::lookUp)
                .map(found -> found.filter(caller -> !caller.expired(clock.instant())));
    }

    /** Who sent these headers, when that is remembered and so needs no lookup; empty says nothing about the sender. */
    Optional<Caller> remembered(MultiMap headers) {
        return presented(headers.getAll(API_TOKEN), headers.getAll(AUTHORIZATION))
                .flatMap(token -> callers.known(token.hash()))
                .filter(caller -> !caller.expired(clock.instant()));
    }

    /** To be called after every committed change of tokens, principals or grants: none of them is believed any more. */
    void forgetAll() {
        callers.forgetAll();
        holders.forgetAll();
        askers.forgetAll();
    }

    /** The one token that the headers carry; empty when there is none, or when they do not agree. */
    static Optional<TokenSecret> presented(List<String> apiTokens, List<String> authorizations) {
        Set<String> sent = new LinkedHashSet<>(apiTokens);
        for (String authorization : authorizations) {
            if (!authorization.toLowerCase(Locale.ROOT).startsWith(BEARER)) {
                return Optional.empty();
            }
            sent.add(authorization.substring(BEARER.length()).strip());
        }
        if (sent.size() != 1) {
            return Optional.empty();
        }
        String only = sent.iterator().next();
        return only.length() > SENT_MAX ? Optional.empty() : TokenSecret.parse(only);
    }

    /**
     * Whose token this is, without having seen it; empty when it is no longer valid. Remembered for as long as what
     * {@link #authenticate(TokenSecret)} finds.
     */
    Uni<Optional<Caller>> holder(TokenId token) {
        return holders.get(token, id -> lookUp(BY_ID, id.value()))
                .map(found -> found.filter(caller -> !caller.expired(clock.instant())));
    }

    /**
     * Whose token this is, for what began while it was valid and is still under way; empty when it was revoked since or its principal disabled. That
     * it has expired meanwhile ends nothing. Remembered for as long as what {@link #authenticate(TokenSecret)} finds.
     */
    Uni<Optional<Caller>> asker(TokenId token) {
        return askers.get(token, id -> lookUp(BY_ID_EXPIRED_OR_NOT, id.value()));
    }

    /** Whose tokens these are, as the database says now; those that are no longer valid are left out. */
    Uni<Map<TokenId, Caller>> holders(Set<TokenId> tokens) {
        String[] ids = tokens.stream().map(TokenId::value).toArray(String[]::new);
        return inTime(database.preparedQuery(BY_IDS)
                .execute(Tuple.of((Object) ids))
                .map(rows -> {
                    Map<TokenId, Caller> holders = new HashMap<>();
                    rows.forEach(row -> {
                        Caller caller = caller(row);
                        holders.put(caller.token(), caller);
                    });
                    return holders;
                }));
    }

    private Uni<Optional<Caller>> lookUp(Digest hash) {
        return lookUp(BY_HASH, hash.value());
    }

    private Uni<Optional<Caller>> lookUp(String sql, String key) {
        return inTime(database.preparedQuery(sql).execute(Tuple.of(key)).chain(this::read));
    }

    private <T> Uni<T> inTime(Uni<T> lookup) {
        return lookup.ifNoItem().after(lookupTimeout).fail().onFailure().transform(failure -> {
            LOG.warnf("tokens cannot be looked up: %s", failure.toString());
            return new Refusal(ErrorCode.NOT_READY, "Callers cannot be recognised now; try again shortly.")
                    .retryAfter(1);
        });
    }

    private Uni<Optional<Caller>> read(RowSet<Row> rows) {
        if (!rows.iterator().hasNext()) {
            return Uni.createFrom().item(Optional.empty());
        }
        Row row = rows.iterator().next();
        Optional<Caller> caller = Optional.of(caller(row));
        if (!Boolean.TRUE.equals(row.getBoolean("use_unrecorded"))) {
            return Uni.createFrom().item(caller);
        }
        // When a token was last used is a help for whoever tidies up; that it could not be noted must not stop the
        // call.
        return database.preparedQuery(RECORD_USE)
                .execute(Tuple.of(row.getString("id")))
                .map(_ -> caller)
                .onFailure()
                .recoverWithItem(caller);
    }

    private static Caller caller(Row row) {
        OffsetDateTime expires = row.getOffsetDateTime("expires_at");
        return new Caller(
                new TokenId(row.getString("id")),
                new PrincipalId(row.getString("principal_id")),
                PrincipalKind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
                new TenantId(row.getString("tenant_id")),
                row.getString("display_name"),
                Scopes.split(row.getString("scopes")),
                Roles.split(row.getString("roles")),
                Optional.ofNullable(row.getString("workspace_id")).map(WorkspaceId::new),
                Optional.ofNullable(row.getString("project_id")).map(ProjectId::new),
                grants(Optional.ofNullable(row.getString("grants"))),
                expires.toInstant());
    }

    private static List<Caller.Grant> grants(Optional<String> stored) {
        List<Caller.Grant> grants = new ArrayList<>();
        for (String grant : stored.map(text -> text.split(" ", -1)).orElse(new String[0])) {
            String[] parts = grant.split("\\|", -1);
            grants.add(new Caller.Grant(
                    Role.parse(parts[0]),
                    parts.length > 1 ? Optional.of(new WorkspaceId(parts[1])) : Optional.empty(),
                    parts.length > 2 ? Optional.of(new ProjectId(parts[2])) : Optional.empty()));
        }
        return grants;
    }

    /** Roles as they are stored: names with spaces between. */
    static final class Roles {
        private Roles() {}

        static String join(Set<Role> roles) {
            return String.join(" ", roles.stream().sorted().map(Role::wireName).toList());
        }

        static Set<Role> split(String stored) {
            EnumSet<Role> roles = EnumSet.noneOf(Role.class);
            Scopes.split(stored).stream().map(Role::parse).forEach(roles::add);
            return roles;
        }
    }
}
