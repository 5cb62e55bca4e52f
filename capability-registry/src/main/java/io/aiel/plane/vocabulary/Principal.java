package io.aiel.plane.vocabulary;

import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Who acts, as the authentication established it; never what it carried to prove that.
 *
 * @param id who
 * @param kind what sort of actor
 * @param tenant the only tenant this principal exists in
 * @param displayName an e-mail address or a service account's name
 * @param tokenId the token that was presented
 * @param scopes what the token was limited to, such as {@code executions:invoke}; {@code *} is all
 * @param roles what the principal may be, already cut to what the token carries
 * @param workspace set when the token is confined to one workspace
 * @param project set when the token is confined to one project
 * @param onBehalfOf set when an execution acts for the principal that started it
 */
public record Principal(
        PrincipalId id,
        PrincipalKind kind,
        TenantId tenant,
        String displayName,
        TokenId tokenId,
        Set<String> scopes,
        Set<Role> roles,
        Optional<WorkspaceId> workspace,
        Optional<ProjectId> project,
        Optional<PrincipalId> onBehalfOf) {
    public Principal {
        Objects.requireNonNull(id, "id");
        scopes = Set.copyOf(scopes);
        roles = Set.copyOf(roles);
    }
}
