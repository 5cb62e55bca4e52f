package io.aiel.plane.gateway.identity;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What callers send to the control plane; nothing in it is checked yet. */
final class Drafts {
    private Drafts() {}

    record Tenant(
            @Nullable String slug,
            @Nullable String name,
            @Nullable Admin admin) {}

    /** The first administrator of a new tenant. */
    record Admin(@Nullable String email, @Nullable String name) {}

    record Workspace(@Nullable String slug, @Nullable String name) {}

    record Project(
            @Nullable String slug,
            @Nullable String name,
            @Nullable JsonNode settings) {}

    record Principal(
            @Nullable String kind,
            @Nullable String name,
            @Nullable String email,
            @Nullable List<@Nullable Grant> grants) {}

    /** Workspace and project are ids or slugs; without them the role holds in the whole tenant. */
    record Grant(
            @Nullable String role,
            @Nullable String workspace,
            @Nullable String project) {}

    @JsonNaming(SnakeCaseStrategy.class)
    record Token(
            @Nullable String name,
            @Nullable String principalId,
            @Nullable List<@Nullable String> scopes,
            @Nullable List<@Nullable String> roles,
            @Nullable String workspace,
            @Nullable String project,
            @Nullable Long expiresInSeconds) {}
}
