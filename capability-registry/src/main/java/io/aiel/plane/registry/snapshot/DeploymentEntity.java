package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Optional;
import org.hibernate.annotations.Immutable;
import org.jspecify.annotations.Nullable;

/** Row of {@code deployments}; written once. */
@Entity
@Immutable
@Table(name = "deployments")
public class DeploymentEntity {
    @Id
    private String id;

    @Column(name = "tenant_id")
    private String tenant;

    @Column(name = "workspace_id")
    private String workspace;

    @Column(name = "project_id")
    private String project;

    @Column
    private String environment;

    @Column
    private long sequence;

    @Column
    private String digest;

    @Column(name = "snapshot_id")
    private String snapshotId;

    @Column
    private String cause;

    @Column
    private @Nullable String restores;

    @Column(name = "created_at")
    private Instant createdAt;

    @Column(name = "created_by")
    private @Nullable String createdBy;

    /** For Hibernate. */
    protected DeploymentEntity() {}

    DeploymentEntity(
            ProjectScope scope,
            String environment,
            long sequence,
            SnapshotRef snapshot,
            String cause,
            Optional<DeploymentId> restores,
            Optional<PrincipalId> createdBy,
            Instant now) {
        this.id = DeploymentId.create().value();
        this.tenant = scope.tenant().value();
        this.workspace = scope.workspace().value();
        this.project = scope.project().value();
        this.environment = environment;
        this.sequence = sequence;
        this.digest = snapshot.digest().value();
        this.snapshotId = snapshot.snapshotId();
        this.cause = cause;
        this.restores = restores.map(DeploymentId::value).orElse(null);
        this.createdBy = createdBy.map(PrincipalId::value).orElse(null);
        this.createdAt = now;
    }

    Deployment view() {
        return new Deployment(
                new DeploymentId(id),
                environment,
                sequence,
                new SnapshotRef(new Digest(digest), snapshotId),
                cause,
                Optional.ofNullable(restores).map(DeploymentId::new),
                createdAt,
                Optional.ofNullable(createdBy).map(PrincipalId::new));
    }
}
