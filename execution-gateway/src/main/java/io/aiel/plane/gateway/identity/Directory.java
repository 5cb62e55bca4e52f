package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;

/**
 * Finds what the {@code {workspace}} and {@code {project}} of a path mean within the caller's tenant: an id or a slug. Anything
 * outside that tenant is not found, exactly as if it did not exist. Thread-safe; call from an event loop.
 */
@Singleton
final class Directory {
    private static final Logger LOG = Logger.getLogger(Directory.class);
    // Slugs have no underscore and ids have one, so a text is never both.
    private static final Pattern NAME = Pattern.compile("[a-z0-9_-]{1,64}");
    private static final Duration REMEMBERED = Duration.ofSeconds(2);
    private static final int REMEMBERED_MAX = 10_000;

    private final Pool database;
    private final Duration lookupTimeout;
    private final BriefCache<Key, WorkspaceId> workspaces =
            new BriefCache<>(REMEMBERED, REMEMBERED_MAX, System::nanoTime);
    private final BriefCache<Key, ProjectScope> projects =
            new BriefCache<>(REMEMBERED, REMEMBERED_MAX, System::nanoTime);

    Directory(Pool database, IdentityConfig config) {
        this.database = database;
        this.lookupTimeout = config.lookupTimeout();
    }

    private record Key(TenantId tenant, String workspace, String project) {}

    /** The workspace with this id or slug. */
    Uni<Optional<WorkspaceId>> workspace(TenantId tenant, String name) {
        if (!NAME.matcher(name).matches()) {
            return Uni.createFrom().item(Optional.empty());
        }
        return workspaces.get(
                new Key(tenant, name, ""),
                key -> one(
                        "SELECT id FROM workspaces WHERE tenant_id = $1 AND (id = $2 OR slug = $2)",
                        Tuple.of(tenant.value(), key.workspace()),
                        row -> new WorkspaceId(row.getString("id"))));
    }

    /** The project with this id or slug in the workspace with that id or slug. */
    Uni<Optional<ProjectScope>> project(TenantId tenant, String workspace, String name) {
        if (!NAME.matcher(workspace).matches() || !NAME.matcher(name).matches()) {
            return Uni.createFrom().item(Optional.empty());
        }
        return projects.get(
                new Key(tenant, workspace, name),
                key -> one(
                        "SELECT w.id AS workspace, p.id AS project FROM workspaces w JOIN projects p"
                                + " ON p.workspace_id = w.id WHERE w.tenant_id = $1 AND p.tenant_id = $1"
                                + " AND (w.id = $2 OR w.slug = $2) AND (p.id = $3 OR p.slug = $3)",
                        Tuple.of(tenant.value(), key.workspace(), key.project()),
                        row -> new ProjectScope(
                                tenant,
                                new WorkspaceId(row.getString("workspace")),
                                new ProjectId(row.getString("project")))));
    }

    /** That project, when it is remembered and so needs no lookup; empty says nothing about it. */
    Optional<ProjectScope> remembered(TenantId tenant, String workspace, String name) {
        return projects.known(new Key(tenant, workspace, name));
    }

    private <T> Uni<Optional<T>> one(String sql, Tuple parameters, Function<Row, T> read) {
        return database.preparedQuery(sql)
                .execute(parameters)
                .map(rows -> {
                    var row = rows.iterator();
                    return row.hasNext() ? Optional.of(read.apply(row.next())) : Optional.<T>empty();
                })
                .ifNoItem()
                .after(lookupTimeout)
                .fail()
                .onFailure()
                .transform(failure -> {
                    LOG.warnf("paths cannot be looked up: %s", failure.toString());
                    return new Refusal(ErrorCode.NOT_READY, "Projects cannot be looked up now; try again shortly.")
                            .retryAfter(1);
                });
    }
}
