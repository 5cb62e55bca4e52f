package io.aiel.plane.gateway.identity;

import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What is known of the holder of a valid token, before it is known which workspace or project the call is about. The roles that
 * count depend on that; {@link #principal} gives them.
 *
 * @param tokenRoles which of the principal's roles the token carries
 * @param grants all of the principal's roles, wherever they hold
 */
record Caller(
        TokenId token,
        PrincipalId id,
        PrincipalKind kind,
        TenantId tenant,
        String displayName,
        Set<String> scopes,
        Set<Role> tokenRoles,
        Optional<WorkspaceId> confinedToWorkspace,
        Optional<ProjectId> confinedToProject,
        List<Grant> grants,
        Instant expiresAt) {
    Caller {
        scopes = Set.copyOf(scopes);
        tokenRoles = Set.copyOf(tokenRoles);
        grants = List.copyOf(grants);
    }

    /** A role and where it holds: in the whole tenant when both are empty. */
    record Grant(Role role, Optional<WorkspaceId> workspace, Optional<ProjectId> project) {
        boolean holdsIn(WorkspaceId where, Optional<ProjectId> inside) {
            return workspace.map(where::equals).orElse(true)
                    && project.map(only -> inside.map(only::equals).orElse(false))
                            .orElse(true);
        }

        boolean tenantWide() {
            return workspace.isEmpty();
        }
    }

    boolean expired(Instant now) {
        return !now.isBefore(expiresAt);
    }

    /** The caller in a call about the whole tenant. */
    Principal inTenant() {
        return principal(rolesInTenant());
    }

    /** The caller in a call about one workspace. */
    Principal inWorkspace(WorkspaceId workspace) {
        return principal(rolesIn(workspace, Optional.empty()));
    }

    /** The caller in a call about one project. */
    Principal inProject(ProjectScope scope) {
        return principal(rolesIn(scope.workspace(), Optional.of(scope.project())));
    }

    /** Whether this token may know that the workspace exists: something in it, or all of it, is within its reach. */
    boolean maySee(WorkspaceId workspace) {
        return confinedToWorkspace.map(workspace::equals).orElse(true)
                && carried()
                        .anyMatch(grant ->
                                grant.workspace().map(workspace::equals).orElse(true));
    }

    /** Whether this token may know that the project exists. */
    boolean maySee(WorkspaceId workspace, ProjectId project) {
        return confinedToWorkspace.map(workspace::equals).orElse(true)
                && confinedToProject.map(project::equals).orElse(true)
                && !rolesIn(workspace, Optional.of(project)).isEmpty();
    }

    /** The roles for the whole tenant; none for a token that is confined to a part of it. */
    Set<Role> rolesInTenant() {
        if (confinedToWorkspace.isPresent()) {
            return Set.of();
        }
        EnumSet<Role> roles = EnumSet.noneOf(Role.class);
        carried().filter(Grant::tenantWide).map(Grant::role).forEach(roles::add);
        return roles;
    }

    /** The roles for a workspace, or for a project of it. */
    Set<Role> rolesIn(WorkspaceId workspace, Optional<ProjectId> project) {
        boolean outside = !confinedToWorkspace.map(workspace::equals).orElse(true)
                || !confinedToProject
                        .map(only -> project.map(only::equals).orElse(false))
                        .orElse(true);
        EnumSet<Role> roles = EnumSet.noneOf(Role.class);
        if (!outside) {
            carried()
                    .filter(grant -> grant.holdsIn(workspace, project))
                    .map(Grant::role)
                    .forEach(roles::add);
        }
        return roles;
    }

    private java.util.stream.Stream<Grant> carried() {
        return grants.stream().filter(grant -> tokenRoles.contains(grant.role()));
    }

    private Principal principal(Set<Role> roles) {
        return new Principal(
                id,
                kind,
                tenant,
                displayName,
                token,
                scopes,
                roles,
                confinedToWorkspace,
                confinedToProject,
                kind == PrincipalKind.EXECUTION ? Optional.of(id) : Optional.empty());
    }
}
