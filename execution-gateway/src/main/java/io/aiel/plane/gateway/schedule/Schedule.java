package io.aiel.plane.gateway.schedule;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.opentelemetry.context.Context;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Row;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A schedule as the database has it.
 *
 * @param holder who made it or changed it last, without any right: those are looked up before each run
 * @param revision counts its changes
 * @param nextAt the first due time that was not dealt with; empty while it is paused
 * @param waitingAt the due time that waits for an earlier run to end, if one does
 */
record Schedule(
        String id,
        ProjectScope scope,
        String cron,
        String timeZone,
        ScheduleWish.Treatment treatment,
        JsonText request,
        Principal holder,
        String sourceAddress,
        String baseUrl,
        long revision,
        Optional<Instant> nextAt,
        Optional<Instant> waitingAt,
        JsonObject shown) {
    static final String PREFIX = "sched";

    static Schedule of(Row row) {
        TenantId tenant = new TenantId(row.getString("tenant"));
        return new Schedule(
                row.getString("id"),
                new ProjectScope(
                        tenant, new WorkspaceId(row.getString("workspace")), new ProjectId(row.getString("project"))),
                row.getString("cron"),
                row.getString("time_zone"),
                new ScheduleWish.Treatment(
                        Overlap.valueOf(row.getString("overlap").toUpperCase(Locale.ROOT)),
                        CatchUp.valueOf(row.getString("catch_up").toUpperCase(Locale.ROOT)),
                        Duration.ofSeconds(row.getInteger("catch_up_window_s"))),
                new JsonText(row.getString("request")),
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
                row.getString("source_address"),
                row.getString("base_url"),
                row.getLong("revision"),
                Optional.ofNullable(row.getOffsetDateTime("next_at")).map(OffsetDateTime::toInstant),
                Optional.ofNullable(row.getOffsetDateTime("waiting_at")).map(OffsetDateTime::toInstant),
                shown(row));
    }

    private static JsonObject shown(Row row) {
        return new JsonObject()
                .put("id", row.getString("id"))
                .put("workspace", row.getString("workspace"))
                .put("project", row.getString("project"))
                .put("name", row.getString("name"))
                .put("cron", row.getString("cron"))
                .put("time_zone", row.getString("time_zone"))
                .put("capability_kind", row.getString("capability_kind"))
                .put("capability_name", row.getString("capability_name"))
                .put("overlap", row.getString("overlap"))
                .put("catch_up", row.getString("catch_up"))
                .put("catch_up_window_s", row.getInteger("catch_up_window_s"))
                .put("paused", row.getBoolean("paused"))
                .put("principal", row.getString("principal"))
                .put("created_at", time(row.getOffsetDateTime("created_at")))
                .put("updated_at", time(row.getOffsetDateTime("updated_at")))
                .put("next_at", time(row.getOffsetDateTime("next_at")))
                .put("waiting_at", time(row.getOffsetDateTime("waiting_at")));
    }

    static @Nullable String time(@Nullable OffsetDateTime time) {
        return time == null ? null : time.toInstant().toString();
    }

    Recurrence recurrence() {
        return new Recurrence(CronExpression.parse(cron), ZoneId.of(timeZone));
    }

    /** The name of one run: the same for whoever begins it, so that it is begun once. */
    String key(Instant dueAt) {
        return id + "/" + dueAt;
    }

    /** Whoever made it, as they may act now. */
    Caller caller(Principal now, Instant dueAt) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        HexFormat hex = HexFormat.of();
        String traceId = hex.toHexDigits(random.nextLong(1, Long.MAX_VALUE)) + hex.toHexDigits(random.nextLong());
        String traceparent = "00-" + traceId + "-" + hex.toHexDigits(random.nextLong(1, Long.MAX_VALUE)) + "-00";
        return new Caller(
                now,
                scope,
                id + "-" + dueAt.getEpochSecond(),
                traceparent,
                traceId,
                sourceAddress,
                baseUrl,
                Context.root());
    }

    /** The context of what the plane does about it by itself. */
    AuditContext auditContext() {
        return new AuditContext(
                scope.tenant(), Optional.of(scope.workspace()), Optional.of(scope.project()), Optional.empty(), id, "");
    }
}
