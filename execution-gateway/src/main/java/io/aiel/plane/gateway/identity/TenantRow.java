package io.aiel.plane.gateway.identity;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;

/** One tenant. */
@Entity
@Table(name = "tenants")
class TenantRow {
    @Id
    String id;

    @Column(name = "slug", updatable = false)
    String slug;

    @Column(name = "name", updatable = false)
    String name;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    /** For Hibernate. */
    TenantRow() {}
}
