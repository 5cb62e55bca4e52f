package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.opentelemetry.context.Context;
import io.vertx.mutiny.sqlclient.Row;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * A queued execution as the database has it: what is needed to begin it, and to end it without.
 *
 * @param holder who asked, without any right: those are looked up when it is begun
 * @param attempt the one that comes next or is under way
 * @param position where its audit stream stands
 */
record QueuedExecution(
        ExecutionId id,
        ProjectScope scope,
        Principal holder,
        String requestId,
        String traceparent,
        String sourceAddress,
        String baseUrl,
        Optional<String> environment,
        SnapshotRef snapshot,
        Optional<String> idempotencyKey,
        Digest argumentsDigest,
        DecisionId decision,
        JsonText input,
        Attempt attempt,
        StreamPosition position) {
    /** What {@link #of} reads, from {@code executions e} joined with {@code execution_queue q}. */
    static final String COLUMNS = """
            e.id, e.tenant, e.workspace, e.project, e.principal, e.request_id, e.traceparent, e.environment, e.snapshot_digest,
                e.snapshot_id, e.idempotency_key, e.arguments_digest, e.decision_id, e.status, e.attempt, e.attempts_max,
                e.audit_sequence, e.audit_hash, q.backoff_ms, q.backoff_ms_max, q.deferrals, q.token, q.principal_kind,
                q.source_address, q.base_url, q.input""";

    /** Whether a row of {@link #COLUMNS} has a part of the queue. */
    static boolean isQueued(Row row) {
        return row.getString("token") != null;
    }

    static QueuedExecution of(Row row) {
        ExecutionId id = new ExecutionId(row.getString("id"));
        TenantId tenant = new TenantId(row.getString("tenant"));
        boolean runs = row.getString("status").equals(ExecutionStatus.RUNNING.wireName());
        return new QueuedExecution(
                id,
                new ProjectScope(
                        tenant, new WorkspaceId(row.getString("workspace")), new ProjectId(row.getString("project"))),
                new Principal(
                        new PrincipalId(row.getString("principal")),
                        PrincipalKind.valueOf(row.getString("principal_kind")),
                        tenant,
                        row.getString("principal"),
                        new TokenId(row.getString("token")),
                        Set.of(),
                        Set.of(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty()),
                row.getString("request_id"),
                row.getString("traceparent"),
                row.getString("source_address"),
                row.getString("base_url"),
                Optional.ofNullable(row.getString("environment")),
                new SnapshotRef(new Digest(row.getString("snapshot_digest")), row.getString("snapshot_id")),
                Optional.ofNullable(row.getString("idempotency_key")),
                new Digest(row.getString("arguments_digest")),
                new DecisionId(row.getString("decision_id")),
                new JsonText(row.getString("input")),
                new Attempt(
                        row.getInteger("attempt") + (runs ? 0 : 1),
                        row.getInteger("attempts_max"),
                        Duration.ofMillis(row.getLong("backoff_ms")),
                        Duration.ofMillis(row.getLong("backoff_ms_max")),
                        row.getInteger("deferrals")),
                new StreamPosition(
                        StreamPosition.startOf(id).stream(),
                        row.getLong("audit_sequence"),
                        Optional.of(new Digest(row.getString("audit_hash")))));
    }

    /** Whether an attempt may have run. */
    boolean hasBegun() {
        return attempt.number() > 1;
    }

    /** Whoever asked, as they may act now. */
    Caller caller(Principal now) {
        String traceId = traceparent.length() >= 35 ? traceparent.substring(3, 35) : "";
        return new Caller(now, scope, requestId, traceparent, traceId, sourceAddress, baseUrl, Context.root());
    }

    AuditContext auditContext() {
        return new AuditContext(
                scope.tenant(),
                Optional.of(scope.workspace()),
                Optional.of(scope.project()),
                Optional.of(holder.id()),
                requestId,
                traceparent);
    }

    Optional<IdempotencyKey> key() {
        return idempotencyKey.map(text -> new IdempotencyKey(scope.project(), holder.id(), text));
    }
}
