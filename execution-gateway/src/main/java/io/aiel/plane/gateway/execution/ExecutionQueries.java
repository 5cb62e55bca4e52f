package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Looks executions up, always within one project. Thread-safe. */
public final class ExecutionQueries {
    private final Pool pool;
    private final Duration timeout;

    ExecutionQueries(Pool pool, Duration timeout) {
        this.pool = pool;
        this.timeout = timeout;
    }

    /**
     * What to list.
     *
     * @param before the id that the page ends before, newest first; empty for the first page
     * @param limit rows of a page
     */
    public record Filter(
            Optional<String> status,
            Optional<String> capability,
            Optional<String> principal,
            Optional<ExecutionId> before,
            int limit) {}

    /** A page, newest first. */
    public Uni<List<JsonObject>> list(ProjectScope scope, Filter filter) {
        return pool.preparedQuery("""
                        select * from executions
                        where tenant = $1 and project = $2
                            and ($3::text is null or status = $3)
                            and ($4::text is null or capability_name = $4)
                            and ($5::text is null or principal = $5)
                            and ($6::text is null or id < $6)
                        order by id desc limit $7
                        """)
                .execute(Tuple.from(
                                List.of(scope.tenant().value(), scope.project().value()))
                        .addValue(filter.status().orElse(null))
                        .addValue(filter.capability().orElse(null))
                        .addValue(filter.principal().orElse(null))
                        .addValue(filter.before().map(ExecutionId::value).orElse(null))
                        .addInteger(filter.limit()))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(ExecutionQueries::documents);
    }

    /** One execution; empty when the project has none with this id. */
    public Uni<Optional<JsonObject>> find(ProjectScope scope, ExecutionId id) {
        return pool.preparedQuery("select * from executions where tenant = $1 and project = $2 and id = $3")
                .execute(Tuple.of(scope.tenant().value(), scope.project().value(), id.value()))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> documents(rows).stream().findFirst());
    }

    /** The log entries of an execution after line {@code after}, in order. */
    public Uni<JsonArray> logs(ExecutionId id, int after, int limit) {
        return pool.preparedQuery(
                        "select line, entry from execution_logs where execution = $1 and line > $2 order by line limit $3")
                .execute(Tuple.of(id.value(), after, limit))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    JsonArray lines = new JsonArray();
                    rows.forEach(row ->
                            lines.add(new JsonObject(row.getString("entry")).put("line", row.getInteger("line"))));
                    return lines;
                });
    }

    private static List<JsonObject> documents(RowSet<Row> rows) {
        List<JsonObject> documents = new ArrayList<>(rows.size());
        rows.forEach(row -> documents.add(document(row)));
        return documents;
    }

    private static JsonObject document(Row row) {
        JsonObject document = new JsonObject();
        for (String column : List.of(
                "id",
                "workspace",
                "project",
                "environment",
                "snapshot_digest",
                "snapshot_id",
                "bundle",
                "action",
                "capability_kind",
                "capability_name",
                "principal",
                "request_id",
                "traceparent",
                "idempotency_key",
                "arguments_digest",
                "status",
                "decision_id",
                "policy_digest",
                "error_code",
                "error_message",
                "result_digest",
                "worker")) {
            document.put(column, row.getString(column));
        }
        document.put("timeout_ms", row.getInteger("timeout_ms"));
        document.put("http_status", row.getInteger("http_status"));
        document.put("requested_at", time(row.getOffsetDateTime("requested_at")));
        document.put("finished_at", time(row.getOffsetDateTime("finished_at")));
        document.put(
                "usage",
                row.getLong("cpu_ms") == null
                        ? null
                        : new JsonObject()
                                .put("cpu_ms", row.getLong("cpu_ms"))
                                .put("wall_ms", row.getLong("wall_ms"))
                                .put("max_rss_bytes", row.getLong("max_rss_bytes")));
        document.put(
                "isolation", row.getString("isolation") == null ? null : new JsonObject(row.getString("isolation")));
        return document;
    }

    private static @Nullable String time(@Nullable OffsetDateTime time) {
        return time == null ? null : time.toInstant().toString();
    }
}
