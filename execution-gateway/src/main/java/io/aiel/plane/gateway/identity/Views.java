package io.aiel.plane.gateway.identity;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.jspecify.annotations.Nullable;

/** What the control plane answers with. */
final class Views {
    private Views() {}

    /** One page of a list; {@code nextCursor} asks for the next, and is absent on the last. */
    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Page<T>(List<T> items, @Nullable String nextCursor) {}

    @JsonNaming(SnakeCaseStrategy.class)
    record Me(
            String userId,
            String id,
            @Schema(nullable = true) @Nullable String email,
            String name,
            String kind,
            String tenantId,
            String tenantName,
            Collection<String> scopes,
            List<MeWorkspace> workspaces) {}

    record MeWorkspace(String id, String slug, String name, List<MeProject> projects) {}

    record MeProject(String id, String slug, String name) {}

    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Tenant(
            String id,
            String slug,
            String name,
            Instant createdAt,
            @Nullable CreatedAdmin admin) {
        static Tenant of(TenantRow row) {
            return of(row, null);
        }

        static Tenant of(TenantRow row, @Nullable CreatedAdmin admin) {
            return new Tenant(row.id, row.slug, row.name, row.createdAt, admin);
        }
    }

    /** The first administrator of a new tenant; the token is shown this once. */
    @JsonNaming(SnakeCaseStrategy.class)
    record CreatedAdmin(String principalId, String tokenId, String token, Instant expiresAt) {
        @Override
        public String toString() {
            return "CreatedAdmin(" + principalId + ", token redacted)";
        }
    }

    @JsonNaming(SnakeCaseStrategy.class)
    record Workspace(String id, String slug, String name, Instant createdAt) {
        static Workspace of(WorkspaceRow row) {
            return new Workspace(row.id, row.slug, row.name, row.createdAt);
        }
    }

    @JsonNaming(SnakeCaseStrategy.class)
    record Project(
            String id,
            String workspaceId,
            String slug,
            String name,
            @JsonRawValue @Schema(type = SchemaType.OBJECT) String settings,
            Instant createdAt) {
        static Project of(ProjectRow row) {
            return new Project(row.id, row.workspaceId, row.slug, row.name, row.settings, row.createdAt);
        }
    }

    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Principal(
            String id,
            String kind,
            String name,
            @Nullable String email,
            Instant createdAt,
            @Nullable Instant disabledAt,
            List<Grant> grants) {
        static Principal of(PrincipalRow row, List<RoleGrantRow> grants) {
            return new Principal(
                    row.id,
                    row.kind,
                    row.name,
                    row.email,
                    row.createdAt,
                    row.disabledAt,
                    grants.stream().map(Grant::of).toList());
        }
    }

    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Grant(
            String id,
            String role,
            @Nullable String workspaceId,
            @Nullable String projectId,
            Instant createdAt) {
        static Grant of(RoleGrantRow row) {
            return new Grant(row.id, row.role, row.workspaceId, row.projectId, row.createdAt);
        }
    }

    /** A token without what is secret; {@code token} is there once, in the answer to its creation. */
    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Token(
            String id,
            String principalId,
            String name,
            String kind,
            Collection<String> scopes,
            Collection<String> roles,
            @Nullable String workspaceId,
            @Nullable String projectId,
            Instant createdAt,
            Instant expiresAt,
            @Nullable Instant revokedAt,
            @Nullable Instant lastUsedAt,
            @Nullable String token) {
        static Token of(TokenRow row, @Nullable String secret) {
            return new Token(
                    row.id,
                    row.principalId,
                    row.name,
                    row.kind,
                    Scopes.split(row.scopes),
                    Scopes.split(row.roles),
                    row.workspaceId,
                    row.projectId,
                    row.createdAt,
                    row.expiresAt,
                    row.revokedAt,
                    row.lastUsedAt,
                    secret);
        }

        @Override
        public String toString() {
            return "Token(" + id + ", redacted)";
        }
    }

    record Revoked(int revoked) {}
}
