package io.aiel.plane.registry.files;

import io.aiel.plane.registry.Cause;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.UploadId;
import io.aiel.plane.vocabulary.WorkspaceId;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Row of {@code uploads}. Belongs to one transaction. */
@Entity
@Table(name = "uploads")
public class UploadEntity {
    static final String OPEN = "open";
    static final String STORED = "stored";
    static final String COMMITTED = "committed";

    @Id
    private String id;

    @Column(name = "project_id")
    private String project;

    @Column(name = "tenant_id")
    private String tenant;

    @Column(name = "workspace_id")
    private String workspace;

    @Column
    private String path;

    @Column(name = "expected_version")
    private @Nullable Long expectedVersion;

    @Column(name = "size_bytes")
    private long sizeBytes;

    @Column
    private String digest;

    @Column(name = "content_type")
    private String contentType;

    @Column
    private String state;

    @Column
    private @Nullable Long version;

    @Column(name = "created_by")
    private @Nullable String createdBy;

    @Column(name = "created_at")
    private Instant createdAt;

    @Column(name = "touched_at")
    private Instant touchedAt;

    @Column(name = "expires_at")
    private Instant expiresAt;

    /** For Hibernate. */
    protected UploadEntity() {}

    UploadEntity(
            ProjectScope scope, FilePath path, UploadRequest request, Cause cause, Instant now, Instant expiresAt) {
        this.id = UploadId.create().value();
        this.project = scope.project().value();
        this.tenant = scope.tenant().value();
        this.workspace = scope.workspace().value();
        this.path = path.toString();
        this.expectedVersion = request.expectedVersion().orElse(null);
        this.sizeBytes = request.sizeBytes();
        this.digest = request.digest().value();
        this.contentType = request.contentType();
        this.state = OPEN;
        this.createdBy = cause.principal().map(PrincipalId::value).orElse(null);
        this.createdAt = now;
        this.touchedAt = now;
        this.expiresAt = expiresAt;
    }

    void stored(Instant now) {
        state = STORED;
        touchedAt = now;
    }

    void committed(long asVersion, Instant now) {
        state = COMMITTED;
        version = asVersion;
        touchedAt = now;
    }

    boolean belongsTo(ProjectScope scope) {
        return project.equals(scope.project().value())
                && tenant.equals(scope.tenant().value());
    }

    boolean is(String wanted) {
        return state.equals(wanted);
    }

    boolean expiredAt(Instant now) {
        return !now.isBefore(expiresAt);
    }

    String path() {
        return path;
    }

    Optional<Long> expectedVersion() {
        return Optional.ofNullable(expectedVersion);
    }

    long sizeBytes() {
        return sizeBytes;
    }

    Digest digest() {
        return new Digest(digest);
    }

    String contentType() {
        return contentType;
    }

    SignedUpload view() {
        return new SignedUpload(
                new UploadId(id),
                new ProjectScope(new TenantId(tenant), new WorkspaceId(workspace), new ProjectId(project)),
                path,
                contentType,
                sizeBytes,
                new Digest(digest),
                expiresAt);
    }
}
