package io.aiel.plane.gateway.callback;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import java.time.Instant;
import java.time.OffsetDateTime;
import org.jspecify.annotations.Nullable;

/**
 * One attempt to tell somebody of the end of an execution.
 *
 * @param attempt counted from 1
 * @param dueSince when the execution ended
 * @param body what is sent: the same with each attempt, as long as the envelope is kept
 */
record CallbackDelivery(
        ExecutionId execution,
        ProjectScope scope,
        String lane,
        CallbackUrl url,
        int attempt,
        Instant dueSince,
        String requestId,
        String traceparent,
        String body) {
    /** The name of the message, the same for each attempt: receivers tell by it what they have had already. */
    String id() {
        return "msg_" + execution.value().substring(execution.value().indexOf('_') + 1);
    }

    /** Reads a claimed row. */
    static CallbackDelivery of(Row row, int envelopeCharactersMax) {
        ProjectScope scope = new ProjectScope(
                new TenantId(row.getString("tenant")),
                new WorkspaceId(row.getString("workspace")),
                new ProjectId(row.getString("project")));
        ExecutionId id = new ExecutionId(row.getString("execution"));
        return new CallbackDelivery(
                id,
                scope,
                row.getString("lane"),
                CallbackUrl.parse(row.getString("url")),
                row.getInteger("attempts"),
                row.getOffsetDateTime("due_since").toInstant(),
                row.getString("request_id"),
                row.getString("traceparent"),
                body(id, scope, row, envelopeCharactersMax));
    }

    private static String body(ExecutionId id, ProjectScope scope, Row row, int envelopeCharactersMax) {
        JsonObject data = new JsonObject()
                .put("execution_id", id.value())
                .put("workspace", scope.workspace().value())
                .put("project", scope.project().value())
                .put("capability_kind", row.getString("capability_kind"))
                .put("capability_name", row.getString("capability_name"))
                .put("status", row.getString("status"))
                .put("http_status", row.getInteger("http_status"))
                .put("error_code", row.getString("error_code"))
                .put("attempt", row.getInteger("attempt"))
                .put("requested_at", time(row.getOffsetDateTime("requested_at")))
                .put("started_at", time(row.getOffsetDateTime("started_at")))
                .put("finished_at", time(row.getOffsetDateTime("finished_at")))
                .put(
                        "links",
                        new JsonObject()
                                .put(
                                        "self",
                                        "/v1/workspaces/" + scope.workspace() + "/projects/" + scope.project()
                                                + "/executions/" + id));
        String head = new JsonObject()
                .put("type", "execution." + row.getString("status"))
                .put("timestamp", time(row.getOffsetDateTime("finished_at")))
                .encode();
        String told = data.encode();
        if (row.getBoolean("include_result")) {
            @Nullable String envelope = row.getString("envelope");
            // As its text: its numbers are the code's, and reading them could change them.
            told = with(
                    told,
                    "envelope",
                    envelope != null && envelope.length() <= envelopeCharactersMax ? envelope : "null");
        }
        return with(head, "data", told);
    }

    /** The object with one member more, as JSON texts. */
    private static String with(String object, String member, String value) {
        return object.substring(0, object.length() - 1) + ",\"" + member + "\":" + value + "}";
    }

    private static @Nullable String time(@Nullable OffsetDateTime time) {
        return time == null ? null : time.toInstant().toString();
    }
}
