package io.aiel.plane.gateway.integration;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.database.LimitedPool;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Optional;

/**
 * What was done with connections, in PostgreSQL: a row before the first byte leaves, and how it ended, each in one transaction with its record. A row
 * whose server died in between becomes {@code unknown}. Thread-safe.
 */
final class ActionCalls {
    static final String PREFIX = "call";
    private static final int SWEPT_AT_ONCE = 100;
    private static final int FORGOTTEN_AT_ONCE = 1_000;

    private static final String SEND = """
            insert into connection_calls (id, tenant, workspace, project, connection, action, principal, execution, idempotency_key,
                request_digest, status, sent_at, deadline_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'sent', $11, $12)
            on conflict (connection, principal, idempotency_key) where idempotency_key is not null do nothing
            """;
    private static final String OF_KEY =
            "select * from connection_calls where connection = $1 and principal = $2 and idempotency_key = $3";
    // What was refused changed nothing, so its key is free: who is told to come again later may come with the same.
    private static final String END = """
            update connection_calls set status = $2, code = $3, response_digest = $4, ended_at = $6,
                result = case when idempotency_key is null then null else $5 end,
                idempotency_key = case when $2 = 'refused' then null else idempotency_key end
            where id = $1 and status = 'sent'
            """;
    private static final String LOST = """
            update connection_calls set status = 'unknown', code = 'ACTION_OUTCOME_UNKNOWN', ended_at = $1
            where id in (
                select id from connection_calls where status = 'sent' and deadline_at < $1
                order by deadline_at limit $2 for update skip locked)
            returning *
            """;
    private static final String FORGET_RESULTS = """
            update connection_calls set result = null, idempotency_key = null
            where id in (
                select id from connection_calls where ended_at < $1 and idempotency_key is not null order by ended_at limit $2)
            """;
    private static final String FORGET_CALLS = """
            delete from connection_calls
            where id in (select id from connection_calls where ended_at < $1 order by ended_at limit $2)
            """;

    private final LimitedPool database;
    private final ControlAudit audit;
    private final IntegrationSettings settings;
    private final Clock clock;

    ActionCalls(Pool pool, ControlAudit audit, IntegrationSettings settings, Clock clock) {
        this.database = new LimitedPool(pool, settings.statementTimeout());
        this.audit = audit;
        this.settings = settings;
        this.clock = clock;
    }

    /**
     * A call.
     *
     * @param principal who called; keys are each principal's own
     * @param limit when it is over at the latest, counted from now
     */
    record Call(
            String id,
            ProjectScope scope,
            String connection,
            String action,
            String principal,
            Optional<ExecutionId> execution,
            Optional<String> key,
            Digest requestDigest,
            Duration limit) {}

    /** What is known of the call that had this key first. */
    record Earlier(Digest requestDigest, String status, Optional<String> result) {}

    /**
     * How a call ended.
     *
     * @param status {@code done}, {@code refused} or {@code unknown}
     * @param code the error code; empty text when it is done
     * @param result to be given again under the same key; empty when it is not kept
     */
    record End(String status, String code, Optional<Digest> responseDigest, Optional<String> result) {}

    /** Puts it on record; empty when it may be made now, else the call that had the same key. */
    Uni<Optional<Earlier>> send(AuditContext context, Call call) {
        Instant now = clock.instant();
        return database.transaction(connection -> connection
                .preparedQuery(SEND)
                .execute(Tuple.tuple()
                        .addString(call.id())
                        .addString(call.scope().tenant().value())
                        .addString(call.scope().workspace().value())
                        .addString(call.scope().project().value())
                        .addString(call.connection())
                        .addString(call.action())
                        .addString(call.principal())
                        .addValue(call.execution().map(ExecutionId::value).orElse(null))
                        .addValue(call.key().orElse(null))
                        .addString(call.requestDigest().value())
                        .addOffsetDateTime(time(now))
                        .addOffsetDateTime(time(now.plus(call.limit()))))
                .chain(rows -> rows.rowCount() == 0
                        ? earlier(connection, call)
                        : audit.record(
                                        connection,
                                        context,
                                        new AuditEvent.IntegrationCalled(
                                                call.id(),
                                                call.connection(),
                                                call.action(),
                                                call.execution(),
                                                call.requestDigest(),
                                                call.key()))
                                .replaceWith(Optional.empty())));
    }

    private static Uni<Optional<Earlier>> earlier(SqlConnection connection, Call call) {
        return connection
                .preparedQuery(OF_KEY)
                .execute(
                        Tuple.of(call.connection(), call.principal(), call.key().orElseThrow()))
                .map(rows -> {
                    if (rows.size() == 0) {
                        // It was refused, and its key became free, in this moment.
                        return Optional.of(new Earlier(call.requestDigest(), "sent", Optional.empty()));
                    }
                    Row row = rows.iterator().next();
                    return Optional.of(new Earlier(
                            new Digest(row.getString("request_digest")),
                            row.getString("status"),
                            Optional.ofNullable(row.getString("result"))));
                });
    }

    /** Fails when it cannot be put on record: then the sweep says that its end is not known. */
    Uni<Void> end(AuditContext context, Call call, End end) {
        return database.transaction(connection -> connection
                .preparedQuery(END)
                .execute(Tuple.tuple()
                        .addString(call.id())
                        .addString(end.status())
                        .addValue(end.code().isEmpty() ? null : end.code())
                        .addValue(end.responseDigest().map(Digest::value).orElse(null))
                        .addValue(end.result().orElse(null))
                        .addOffsetDateTime(time(clock.instant())))
                // The sweep was sooner, and has said so.
                .chain(rows -> rows.rowCount() == 0
                        ? Uni.createFrom().voidItem()
                        : audit.record(
                                connection,
                                context,
                                new AuditEvent.IntegrationAnswered(
                                        call.id(),
                                        call.connection(),
                                        call.action(),
                                        call.execution(),
                                        end.status(),
                                        end.code(),
                                        end.responseDigest()))));
    }

    /** Something was asked for that the connection does not allow. */
    Uni<Void> refused(
            AuditContext context, String connection, String action, Optional<ExecutionId> execution, String code) {
        return database.transaction(transaction -> audit.record(
                transaction, context, new AuditEvent.IntegrationRefused(connection, action, execution, code)));
    }

    /** Ends what nobody ends any more, and forgets what is old; the item is how many calls were ended. */
    Uni<Integer> sweep() {
        Instant now = clock.instant();
        return database.transaction(connection -> connection
                        .preparedQuery(LOST)
                        .execute(Tuple.of(time(now), SWEPT_AT_ONCE))
                        .chain(rows -> {
                            Uni<Void> recorded = Uni.createFrom().voidItem();
                            for (Row row : rows) {
                                recorded = recorded.chain(() -> lost(connection, row));
                            }
                            return recorded.replaceWith(rows.rowCount());
                        }))
                .call(() -> database.run(
                        FORGET_RESULTS, Tuple.of(time(now.minus(settings.resultsKept())), FORGOTTEN_AT_ONCE)))
                .call(() ->
                        database.run(FORGET_CALLS, Tuple.of(time(now.minus(settings.callsKept())), FORGOTTEN_AT_ONCE)));
    }

    private Uni<Void> lost(SqlConnection connection, Row row) {
        AuditContext context = new AuditContext(
                new TenantId(row.getString("tenant")),
                Optional.of(new WorkspaceId(row.getString("workspace"))),
                Optional.of(new ProjectId(row.getString("project"))),
                Optional.empty(),
                row.getString("id"),
                "");
        return audit.record(
                connection,
                context,
                new AuditEvent.IntegrationAnswered(
                        row.getString("id"),
                        row.getString("connection"),
                        row.getString("action"),
                        Optional.ofNullable(row.getString("execution")).map(ExecutionId::new),
                        row.getString("status"),
                        row.getString("code"),
                        Optional.empty()));
    }

    private static OffsetDateTime time(Instant instant) {
        return instant.atOffset(ZoneOffset.UTC);
    }
}
