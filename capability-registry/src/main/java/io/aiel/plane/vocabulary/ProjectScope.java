package io.aiel.plane.vocabulary;

import java.util.Objects;

/** The full address of a project: whatever is stored or run belongs to exactly one. */
public record ProjectScope(TenantId tenant, WorkspaceId workspace, ProjectId project) {
    public ProjectScope {
        Objects.requireNonNull(tenant, "tenant");
        Objects.requireNonNull(workspace, "workspace");
        Objects.requireNonNull(project, "project");
    }
}
