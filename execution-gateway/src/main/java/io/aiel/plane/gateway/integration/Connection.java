package io.aiel.plane.gateway.integration;

import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A connection as the database has it, without what opens it.
 *
 * @param allowed what it is for
 * @param granted what of it may be done; an action needs to be in both
 * @param credentialVersion counts the credentials that there were; 0 when there never were any
 * @param hasCredentials whether the last of them are still there
 * @param revision counts its changes
 */
record Connection(
        String id,
        ProjectScope scope,
        String provider,
        String displayName,
        boolean enabled,
        String statusReason,
        JsonObject settings,
        List<String> allowed,
        List<String> granted,
        int callsPerMinute,
        Duration timeout,
        int credentialVersion,
        boolean hasCredentials,
        long revision,
        Instant createdAt,
        Instant updatedAt) {
    static final String PREFIX = "conn";
    private static final String NO_CREDENTIALS = "It has no credentials.";

    Connection {
        allowed = List.copyOf(allowed);
        granted = List.copyOf(granted);
    }

    static Connection of(Row row) {
        return new Connection(
                row.getString("id"),
                new ProjectScope(
                        new TenantId(row.getString("tenant")),
                        new WorkspaceId(row.getString("workspace")),
                        new ProjectId(row.getString("project"))),
                row.getString("provider"),
                row.getString("display_name"),
                row.getString("status").equals("enabled"),
                row.getString("status_reason"),
                row.getJsonObject("settings"),
                List.of(row.getArrayOfStrings("allowed_actions")),
                List.of(row.getArrayOfStrings("granted_actions")),
                row.getInteger("calls_per_minute"),
                Duration.ofMillis(row.getInteger("timeout_ms")),
                row.getInteger("credential_version"),
                row.getBoolean("has_credentials"),
                row.getLong("revision"),
                row.getOffsetDateTime("created_at").toInstant(),
                row.getOffsetDateTime("updated_at").toInstant());
    }

    static String status(boolean enabled) {
        return enabled ? "enabled" : "disabled";
    }

    boolean mayDo(String action) {
        return allowed.contains(action) && granted.contains(action);
    }

    CredentialSeal.Place credentialPlace() {
        return credentialPlace(credentialVersion);
    }

    /** Of the credentials that are set next. */
    CredentialSeal.Place nextCredentialPlace() {
        return credentialPlace(credentialVersion + 1);
    }

    private CredentialSeal.Place credentialPlace(int version) {
        return new CredentialSeal.Place(scope.tenant().value(), id, version);
    }

    /** In the form of the wire contract. There is nothing secret in it: settings cannot hold what opens a system. */
    JsonObject shown(Provider of) {
        List<String> capabilities = of.actions().values().stream()
                .filter(action -> mayDo(action.name()))
                .map(Provider.Action::capability)
                .distinct()
                .toList();
        @Nullable Integer version = hasCredentials ? credentialVersion : null;
        return new JsonObject()
                .put("connection_id", id)
                .put("workspace_id", scope.workspace().value())
                .put("project_id", scope.project().value())
                .put("provider", provider)
                .put("connector", new JsonObject().put("id", of.connectorId()).put("version", of.connectorVersion()))
                .put("resource_type", of.resourceType())
                .put("display_name", displayName)
                .put("status", status(enabled))
                .put("status_reason", statusReason.isEmpty() && version == null ? NO_CREDENTIALS : statusReason)
                .put("capabilities", new JsonArray(capabilities))
                .put("allowed_actions", new JsonArray(allowed))
                .put("granted_actions", new JsonArray(granted))
                .put("auth", new JsonObject().put("method", of.authMethod()).put("credential_version", version))
                .put(
                        "metadata",
                        settings.copy()
                                .put(
                                        "connection",
                                        new JsonObject()
                                                .put("calls_per_minute", callsPerMinute)
                                                .put("timeout_ms", timeout.toMillis())
                                                .put("created_at", createdAt.toString())
                                                .put("updated_at", updatedAt.toString())));
    }

    @Override
    public String toString() {
        return "Connection(" + id + ", " + provider + ")";
    }
}
