package io.aiel.plane.gateway.identity;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** One role of a principal and where it holds. */
@Entity
@Table(name = "role_grants")
class RoleGrantRow {
    @Id
    String id;

    @Column(name = "tenant_id", updatable = false)
    String tenantId;

    @Column(name = "principal_id", updatable = false)
    String principalId;

    @Column(name = "role", updatable = false)
    String role;

    @Column(name = "workspace_id", updatable = false)
    @Nullable
    String workspaceId;

    @Column(name = "project_id", updatable = false)
    @Nullable
    String projectId;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    /** For Hibernate. */
    RoleGrantRow() {}
}
