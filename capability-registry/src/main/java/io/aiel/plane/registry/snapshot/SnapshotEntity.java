package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
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

/** Row of {@code snapshots}; written once. */
@Entity
@Immutable
@Table(name = "snapshots")
public class SnapshotEntity {
    @Id
    private String id;

    @Column(name = "tenant_id")
    private String tenant;

    @Column(name = "workspace_id")
    private String workspace;

    @Column(name = "project_id")
    private String project;

    @Column
    private String digest;

    @Column(name = "snapshot_id")
    private String snapshotId;

    @Column(name = "tree_digest")
    private String treeDigest;

    @Column
    private String bundle;

    @Column(name = "sdk_version")
    private String sdkVersion;

    @Column(name = "runtime_version")
    private String runtimeVersion;

    @Column
    private boolean valid;

    @Column
    private String findings;

    @Column
    private String manifest;

    @Column(name = "file_count")
    private long fileCount;

    @Column(name = "size_bytes")
    private long sizeBytes;

    @Column(name = "created_at")
    private Instant createdAt;

    @Column(name = "created_by")
    private @Nullable String createdBy;

    /** For Hibernate. */
    protected SnapshotEntity() {}

    SnapshotEntity(
            ProjectScope scope,
            Manifest manifest,
            SnapshotValidator.Candidate candidate,
            String sdkVersion,
            String runtimeVersion,
            boolean valid,
            String findings,
            Optional<PrincipalId> createdBy,
            Instant now) {
        this.id = Ids.create("snap");
        this.tenant = scope.tenant().value();
        this.workspace = scope.workspace().value();
        this.project = scope.project().value();
        this.digest = manifest.digest().value();
        this.snapshotId = candidate.snapshotId();
        this.treeDigest = candidate.tree().value();
        this.bundle = candidate.bundle();
        this.sdkVersion = sdkVersion;
        this.runtimeVersion = runtimeVersion;
        this.valid = valid;
        this.findings = findings;
        this.manifest = manifest.canonical();
        this.fileCount = candidate.files().size();
        this.sizeBytes =
                candidate.files().stream().mapToLong(SnapshotFile::sizeBytes).sum();
        this.createdBy = createdBy.map(PrincipalId::value).orElse(null);
        this.createdAt = now;
    }

    String id() {
        return id;
    }

    boolean valid() {
        return valid;
    }

    Digest tree() {
        return new Digest(treeDigest);
    }

    String bundle() {
        return bundle;
    }

    SnapshotRef ref() {
        return new SnapshotRef(new Digest(digest), snapshotId);
    }

    Snapshot view() {
        return new Snapshot(
                id,
                ref(),
                bundle,
                sdkVersion,
                runtimeVersion,
                valid,
                Findings.read(findings),
                fileCount,
                sizeBytes,
                createdAt,
                Optional.ofNullable(createdBy).map(PrincipalId::new));
    }

    String manifest() {
        return manifest;
    }
}
