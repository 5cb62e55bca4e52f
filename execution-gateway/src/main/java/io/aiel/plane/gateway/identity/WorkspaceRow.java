package io.aiel.plane.gateway.identity;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;

/** One workspace of a tenant. */
@Entity
@Table(name = "workspaces")
class WorkspaceRow {
    @Id
    String id;

    @Column(name = "tenant_id", updatable = false)
    String tenantId;

    @Column(name = "slug", updatable = false)
    String slug;

    @Column(name = "name", updatable = false)
    String name;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    /** For Hibernate. */
    WorkspaceRow() {}
}
