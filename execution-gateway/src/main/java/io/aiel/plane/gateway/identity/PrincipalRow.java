package io.aiel.plane.gateway.identity;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One user or service account of a tenant. */
@Entity
@Table(name = "principals")
class PrincipalRow {
    @Id
    String id;

    @Column(name = "tenant_id", updatable = false)
    String tenantId;

    @Column(name = "kind", updatable = false)
    String kind;

    @Column(name = "name", updatable = false)
    String name;

    @Column(name = "email", updatable = false)
    @Nullable
    String email;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    @Column(name = "disabled_at")
    @Nullable
    Instant disabledAt;

    /** For Hibernate. */
    PrincipalRow() {}
}
