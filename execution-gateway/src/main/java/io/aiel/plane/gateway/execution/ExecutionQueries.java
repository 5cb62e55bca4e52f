package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
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
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
     * @param requestId of the request that asked for it, whether its caller or this server chose it
     * @param before the id that the page ends before, newest first; empty for the first page
     * @param limit rows of a page
     */
    public record Filter(
            Optional<String> status,
            Optional<String> capability,
            Optional<String> principal,
            Optional<String> requestId,
            Optional<ExecutionId> before,
            int limit) {}

    /** Plans do not know their parameters, so the index of what is asked for seldom needs words of its own. */
    static String listing(boolean ofOneRequest) {
        return """
                select * from executions
                where tenant = $1 and project = $2
                    and ($3::text is null or status = $3)
                    and ($4::text is null or capability_name = $4)
                    and ($5::text is null or principal = $5)
                    and ($6::text is null or id < $6)
                    and %s
                order by id desc limit $7
                """.formatted(ofOneRequest ? "request_id = $8" : "$8::text is null");
    }

    /** A page, newest first. */
    public Uni<List<JsonObject>> list(ProjectScope scope, Filter filter) {
        return pool.preparedQuery(listing(filter.requestId().isPresent()))
                .execute(Tuple.from(
                                List.of(scope.tenant().value(), scope.project().value()))
                        .addValue(filter.status().orElse(null))
                        .addValue(filter.capability().orElse(null))
                        .addValue(filter.principal().orElse(null))
                        .addValue(filter.before().map(ExecutionId::value).orElse(null))
                        .addInteger(filter.limit())
                        .addValue(filter.requestId().orElse(null)))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(ExecutionQueries::documents);
    }

    /** One execution; empty when the project has none with this id. */
    public Uni<Optional<JsonObject>> find(ProjectScope scope, ExecutionId id) {
        return find(scope, id, Optional.empty());
    }

    /** The same with its answer, where that is kept: for executions that were queued, and for the principal that asked for them. */
    Uni<Optional<JsonObject>> find(ProjectScope scope, ExecutionId id, Optional<PrincipalId> reader) {
        return pool.preparedQuery("""
                        select e.*, r.envelope, r.expires_at as envelope_expires_at, q.ready_at, d.origin as callback_origin,
                            d.state as callback_state, d.attempts as callback_attempts, d.last_status as callback_status,
                            d.last_error as callback_error, d.next_at as callback_next_at, d.ended_at as callback_ended_at,
                            s.schedule, s.due_at as schedule_due_at
                        from executions e
                            left join execution_queue q on q.execution = e.id and e.status = 'queued'
                            left join callback_deliveries d on d.execution = e.id
                            left join schedule_runs s on s.execution = e.id
                            left join execution_results r on r.execution = e.id and e.principal = $4::text
                                and r.expires_at > clock_timestamp()
                        where e.tenant = $1 and e.project = $2 and e.id = $3
                        """)
                .execute(Tuple.of(
                        scope.tenant().value(),
                        scope.project().value(),
                        id.value(),
                        reader.map(PrincipalId::value).orElse("")))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    for (Row row : rows) {
                        return Optional.of(whole(row));
                    }
                    return Optional.empty();
                });
    }

    private static JsonObject whole(Row row) {
        @Nullable String envelope = row.getString("envelope");
        return document(row)
                .put("ready_at", time(row.getOffsetDateTime("ready_at")))
                .put("envelope", envelope == null ? null : new JsonObject(envelope))
                .put("envelope_expires_at", time(row.getOffsetDateTime("envelope_expires_at")))
                .put("callback", callback(row))
                .put("schedule", row.getString("schedule"))
                .put("schedule_due_at", time(row.getOffsetDateTime("schedule_due_at")));
    }

    /** Where it goes is shown without path and query, which may hold a secret of whoever asked. */
    private static @Nullable JsonObject callback(Row row) {
        return row.getString("callback_state") == null
                ? null
                : new JsonObject()
                        .put("origin", row.getString("callback_origin"))
                        .put("state", row.getString("callback_state"))
                        .put("attempts", row.getInteger("callback_attempts"))
                        .put("last_status", row.getInteger("callback_status"))
                        .put("last_error", row.getString("callback_error"))
                        .put("next_at", time(row.getOffsetDateTime("callback_next_at")))
                        .put("ended_at", time(row.getOffsetDateTime("callback_ended_at")));
    }

    /**
     * How far an execution is.
     *
     * @param sequence of its last record
     */
    record Standing(long sequence, boolean over) {}

    /** How far an execution is; empty when the project has none with this id. */
    Uni<Optional<Standing>> standing(ProjectScope scope, ExecutionId id) {
        return standings(
                        "tenant = $2 and project = $3",
                        Tuple.of(
                                new String[] {id.value()},
                                scope.tenant().value(),
                                scope.project().value()))
                .map(found -> Optional.ofNullable(found.get(id)));
    }

    /** How far these executions are, whosever they are. */
    Uni<Map<ExecutionId, Standing>> standings(Collection<ExecutionId> ids) {
        return standings(
                "true", Tuple.of((Object) ids.stream().map(ExecutionId::value).toArray(String[]::new)));
    }

    private Uni<Map<ExecutionId, Standing>> standings(String condition, Tuple parameters) {
        return pool.preparedQuery("select id, audit_sequence, finished_at is not null as over from executions"
                        + " where id = any($1::text[]) and " + condition)
                .execute(parameters)
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    Map<ExecutionId, Standing> found = new HashMap<>();
                    rows.forEach(row -> found.put(
                            new ExecutionId(row.getString("id")),
                            new Standing(row.getLong("audit_sequence"), row.getBoolean("over"))));
                    return found;
                });
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
                "replay_of",
                "worker")) {
            document.put(column, row.getString(column));
        }
        document.put("timeout_ms", row.getInteger("timeout_ms"));
        document.put("http_status", row.getInteger("http_status"));
        document.put("priority", row.getInteger("priority"));
        document.put("start_at", time(row.getOffsetDateTime("start_at")));
        document.put("attempt", row.getInteger("attempt"));
        document.put("attempts_max", row.getInteger("attempts_max"));
        document.put("started_at", time(row.getOffsetDateTime("started_at")));
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
