package io.aiel.plane.registry.files;

import io.aiel.plane.registry.Cause;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Row of {@code project_files}. Belongs to one transaction; fields change only through its methods, which Hibernate sees. */
@Entity
@Table(name = "project_files")
public class FileEntity {
    @Id
    private String id;

    @Column(name = "project_id")
    private String project;

    @Column
    private String path;

    @Column
    private String folded;

    @Column
    private long version;

    /** None when deleted. */
    @Column
    private @Nullable String digest;

    @Column(name = "size_bytes")
    private long sizeBytes;

    @Column(name = "content_type")
    private String contentType;

    @Column
    private boolean deleted;

    @Column(name = "updated_at")
    private Instant updatedAt;

    @Column(name = "updated_by")
    private @Nullable String updatedBy;

    /** For Hibernate. */
    protected FileEntity() {}

    /** A file that never was; {@link #become} gives it its first version. */
    FileEntity(ProjectId project, FilePath path) {
        this.id = Ids.create("file");
        this.project = project.value();
        this.path = path.toString();
        this.folded = path.folded();
        this.deleted = true;
    }

    /** Takes over the upload's content as the next version. */
    void become(UploadEntity upload, Cause cause, Instant now) {
        digest = upload.digest().value();
        sizeBytes = upload.sizeBytes();
        contentType = upload.contentType();
        changed(false, cause, now);
    }

    /** Stays as a marker, so that versions go on counting; lets go of its content. */
    void delete(Cause cause, Instant now) {
        digest = null;
        changed(true, cause, now);
    }

    private void changed(boolean nowDeleted, Cause cause, Instant now) {
        version = version + 1;
        deleted = nowDeleted;
        updatedAt = now;
        updatedBy = cause.principal().map(PrincipalId::value).orElse(null);
    }

    boolean live() {
        return !deleted;
    }

    long version() {
        return version;
    }

    /** The content of a live file. */
    Digest digest() {
        return new Digest(Objects.requireNonNull(digest, "a deleted file has no content"));
    }

    long sizeBytes() {
        return sizeBytes;
    }

    StoredFile view() {
        return new StoredFile(
                path,
                version,
                digest(),
                sizeBytes,
                contentType,
                updatedAt,
                Optional.ofNullable(updatedBy).map(PrincipalId::new));
    }
}
