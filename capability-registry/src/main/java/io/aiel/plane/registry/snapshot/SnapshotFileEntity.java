package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import org.hibernate.annotations.Immutable;

/** Row of {@code snapshot_files}; written once. */
@Entity
@Immutable
@Table(name = "snapshot_files")
public class SnapshotFileEntity {
    @Id
    private String id;

    @Column
    private String snapshot;

    @Column
    private String path;

    @Column
    private String digest;

    @Column(name = "size_bytes")
    private long sizeBytes;

    /** For Hibernate. */
    protected SnapshotFileEntity() {}

    SnapshotFileEntity(String snapshot, SnapshotFile file) {
        this.id = Ids.create("sf");
        this.snapshot = snapshot;
        this.path = file.path();
        this.digest = file.digest().value();
        this.sizeBytes = file.sizeBytes();
    }

    SnapshotFile view() {
        return new SnapshotFile(path, new Digest(digest), sizeBytes);
    }
}
