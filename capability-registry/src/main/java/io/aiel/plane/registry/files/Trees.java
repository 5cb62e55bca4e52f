package io.aiel.plane.registry.files;

import io.aiel.plane.registry.Cause;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import org.hibernate.reactive.mutiny.Mutiny;

/** The statements on {@code project_trees} that must lock its row. Each runs in the caller's transaction. */
public final class Trees {
    private Trees() {}

    /**
     * A locked tree.
     *
     * @param fileCount live files
     * @param sizeBytes all of them together
     */
    public record Totals(long fileCount, long sizeBytes) {}

    /** Makes the row when there is none, and locks it until the transaction ends. */
    public static Uni<Totals> lock(Mutiny.Session session, ProjectScope scope) {
        return session.createNativeQuery("""
                        INSERT INTO project_trees (project_id, tenant_id, workspace_id, file_count, size_bytes, revision,
                            sealed_revision, seal_after, request_id, traceparent)
                        VALUES (:project, :tenant, :workspace, 0, 0, 0, 0, now(), '', '')
                        ON CONFLICT (project_id) DO UPDATE SET revision = project_trees.revision
                        RETURNING file_count, size_bytes
                        """, Object[].class)
                .setParameter("project", scope.project().value())
                .setParameter("tenant", scope.tenant().value())
                .setParameter("workspace", scope.workspace().value())
                .getSingleResult()
                .map(row -> new Totals(((Number) row[0]).longValue(), ((Number) row[1]).longValue()));
    }

    /**
     * Has the tree sealed anew although no file changed, because what it is validated with did; a project without a tree has nothing
     * to seal. Fire {@link TreeChanged} once the transaction is through.
     */
    public static Uni<Void> toBeSealedAnew(Mutiny.Session session, ProjectScope scope, Cause cause) {
        return changed(session, scope, 0, 0, Duration.ZERO, cause);
    }

    /** Counts a change; the row must be locked. */
    static Uni<Void> changed(
            Mutiny.Session session, ProjectScope scope, long files, long bytes, Duration quiet, Cause cause) {
        return session.createNativeQuery("""
                        UPDATE project_trees SET file_count = file_count + :files, size_bytes = size_bytes + :bytes,
                            revision = revision + 1,
                            seal_after = clock_timestamp() + cast(:quiet as double precision) * interval '1 millisecond',
                            changed_by = nullif(:by, ''), request_id = :request, traceparent = :traceparent
                        WHERE project_id = :project
                        """)
                .setParameter("files", files)
                .setParameter("bytes", bytes)
                .setParameter("quiet", (double) quiet.toMillis())
                .setParameter("by", cause.principal().map(PrincipalId::value).orElse(""))
                .setParameter("request", cause.requestId())
                .setParameter("traceparent", cause.traceparent())
                .setParameter("project", scope.project().value())
                .executeUpdate()
                .replaceWithVoid();
    }
}
