package io.aiel.plane.registry.files;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.hibernate.annotations.Immutable;

/** Row of {@code blobs}; written by one upsert only, never changed through this class. */
@Entity
@Immutable
@Table(name = "blobs")
public class BlobEntity {
    @Id
    private String digest;

    @Column(name = "size_bytes")
    private long sizeBytes;

    @Column
    private byte[] bytes;

    @Column(name = "stored_at")
    private Instant storedAt;

    /** For Hibernate. */
    protected BlobEntity() {}
}
