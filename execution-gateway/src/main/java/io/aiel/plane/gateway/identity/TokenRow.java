package io.aiel.plane.gateway.identity;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What is kept of one token: everything but the token. */
@Entity
@Table(name = "tokens")
class TokenRow {
    @Id
    String id;

    @Column(name = "tenant_id", updatable = false)
    String tenantId;

    @Column(name = "principal_id", updatable = false)
    String principalId;

    @Column(name = "name", updatable = false)
    String name;

    @Column(name = "kind", updatable = false)
    String kind;

    @Column(name = "hash", updatable = false)
    String hash;

    @Column(name = "scopes", updatable = false)
    String scopes;

    @Column(name = "roles", updatable = false)
    String roles;

    @Column(name = "workspace_id", updatable = false)
    @Nullable
    String workspaceId;

    @Column(name = "project_id", updatable = false)
    @Nullable
    String projectId;

    @Column(name = "created_at", updatable = false)
    Instant createdAt;

    @Column(name = "created_by", updatable = false)
    @Nullable
    String createdBy;

    @Column(name = "expires_at", updatable = false)
    Instant expiresAt;

    @Column(name = "revoked_at")
    @Nullable
    Instant revokedAt;

    @Column(name = "last_used_at")
    @Nullable
    Instant lastUsedAt;

    /** For Hibernate. */
    TokenRow() {}
}
