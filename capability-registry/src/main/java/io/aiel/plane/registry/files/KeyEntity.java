package io.aiel.plane.registry.files;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import org.hibernate.annotations.Immutable;

/** Row of {@code registry_keys}. */
@Entity
@Immutable
@Table(name = "registry_keys")
public class KeyEntity {
    @Id
    private String id;

    @Column
    private byte[] secret;

    /** For Hibernate. */
    protected KeyEntity() {}
}
