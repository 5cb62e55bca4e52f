package io.aiel.plane.gateway.callback;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The secrets of projects, sealed in the database. A new one ends the others after a while in which callbacks are signed with all of
 * them, so that receivers can change over. Each change is one transaction with its record. Thread-safe.
 */
final class CallbackSecrets {
    private static final Logger LOG = Logger.getLogger(CallbackSecrets.class);
    static final String PREFIX = "whs";
    private static final String KEY = "callback-secrets-1";

    private static final String LOCK =
            "select pg_advisory_xact_lock(hashtextextended('callback_secrets/' || $1::text, 0))";
    private static final String FORGET = "delete from callback_secrets where project = $1 and expires_at <= $2";
    private static final String COUNT = "select count(*) from callback_secrets where project = $1";
    private static final String END_OTHERS =
            "update callback_secrets set expires_at = $2 where project = $1 and (expires_at is null or expires_at > $2)";
    private static final String INSERT =
            "insert into callback_secrets (id, project, sealed, created_at) values ($1, $2, $3, $4)";
    private static final String DELETE =
            "delete from callback_secrets where project = $1 and id = $2 and (expires_at is null or expires_at > $3)";
    private static final String LIST = """
            select id, sealed, created_at, expires_at from callback_secrets
            where project = $1 and (expires_at is null or expires_at > $2) order by id desc
            """;
    private static final String MAKE_KEY = "insert into callback_keys (id, key) values ($1, $2) on conflict do nothing";
    private static final String READ_KEY = "select key from callback_keys where id = $1";

    private final Pool pool;
    private final ControlAudit audit;
    private final CallbackSettings settings;
    private final Clock clock;
    private final AtomicReference<@Nullable SecretSeal> seal = new AtomicReference<>();

    CallbackSecrets(Pool pool, ControlAudit audit, CallbackSettings settings, Clock clock) {
        this.pool = pool;
        this.audit = audit;
        this.settings = settings;
        this.clock = clock;
        settings.sealingKey()
                .ifPresent(hex -> seal.set(new SecretSeal(HexFormat.of().parseHex(hex))));
    }

    /**
     * What may be shown of a secret.
     *
     * @param expiresAt from then on nothing is signed with it; empty for the newest
     */
    record About(String id, Instant createdAt, Optional<Instant> expiresAt) {}

    /** A new secret; the only time that it leaves the plane. */
    record Created(About about, WebhookSecret secret) {}

    /** Makes one and lets the others end; empty when the project has as many as it may. */
    Uni<Optional<Created>> create(AuditContext context, ProjectId project) {
        Instant now = clock.instant().truncatedTo(ChronoUnit.MICROS);
        About about = new About(Ids.create(PREFIX), now, Optional.empty());
        WebhookSecret secret = WebhookSecret.create();
        return seal().chain(key -> transaction(connection -> run(connection, LOCK, Tuple.of(project.value()))
                .chain(() -> run(connection, FORGET, Tuple.of(project.value(), time(now))))
                .chain(() -> connection.preparedQuery(COUNT).execute(Tuple.of(project.value())))
                .map(rows -> rows.iterator().next().getLong(0))
                .chain(count -> count >= settings.secretsMax()
                        ? Uni.createFrom().item(Optional.<Created>empty())
                        : run(connection, END_OTHERS, Tuple.of(project.value(), time(now.plus(settings.overlap()))))
                                .chain(() -> run(
                                        connection,
                                        INSERT,
                                        Tuple.of(
                                                about.id(),
                                                project.value(),
                                                Buffer.buffer(key.seal(secret.bytes(), owner(project, about.id()))),
                                                time(now))))
                                .chain(() -> record(connection, context, "callback_secret.created", about.id()))
                                .replaceWith(Optional.of(new Created(about, secret))))));
    }

    /** Ends one at once; false when the project has none with this id. */
    Uni<Boolean> delete(AuditContext context, ProjectId project, String id) {
        return transaction(connection -> connection
                .preparedQuery(DELETE)
                .execute(Tuple.of(project.value(), id, time(clock.instant())))
                .chain(rows -> rows.rowCount() == 0
                        ? Uni.createFrom().item(false)
                        : record(connection, context, "callback_secret.deleted", id)
                                .replaceWith(true)));
    }

    /** Those that have not ended, newest first. */
    Uni<List<About>> list(ProjectId project) {
        return rows(project)
                .map(rows -> rows.stream().map(CallbackSecrets::about).toList());
    }

    /** What to sign with now, newest first; empty when the project has none. */
    Uni<List<WebhookSecret>> active(ProjectId project) {
        return seal().chain(key -> rows(project)
                .map(rows -> rows.stream()
                        .flatMap(row -> open(key, project, row).stream())
                        .toList()));
    }

    /** One that does not open is as good as none: the receiver has it, but nothing can be signed with it any more. */
    private static Optional<WebhookSecret> open(SecretSeal key, ProjectId project, Row row) {
        String id = row.getString("id");
        try {
            return Optional.of(WebhookSecret.of(
                    key.open(row.getDelegate().getBuffer("sealed").getBytes(), owner(project, id))));
        } catch (IllegalStateException e) {
            LOG.warnf("the callback secret %s cannot be used: %s", id, e.getMessage());
            return Optional.empty();
        }
    }

    private Uni<List<Row>> rows(ProjectId project) {
        return limited(pool.preparedQuery(LIST).execute(Tuple.of(project.value(), time(clock.instant()))))
                .map(rows -> {
                    List<Row> list = new ArrayList<>();
                    rows.forEach(list::add);
                    return list;
                });
    }

    private static About about(Row row) {
        return new About(
                row.getString("id"),
                row.getOffsetDateTime("created_at").toInstant(),
                Optional.ofNullable(row.getOffsetDateTime("expires_at")).map(OffsetDateTime::toInstant));
    }

    private static String owner(ProjectId project, String id) {
        return project + "/" + id;
    }

    /** The configured key, or the one that the first server of this database made. */
    private Uni<SecretSeal> seal() {
        SecretSeal known = seal.get();
        if (known != null) {
            return Uni.createFrom().item(known);
        }
        byte[] fresh = new byte[SecretSeal.KEY_BYTES];
        new SecureRandom().nextBytes(fresh);
        return limited(pool.preparedQuery(MAKE_KEY)
                        .execute(Tuple.of(KEY, Buffer.buffer(fresh)))
                        .chain(() -> pool.preparedQuery(READ_KEY).execute(Tuple.of(KEY))))
                .map(rows -> new SecretSeal(
                        rows.iterator().next().getDelegate().getBuffer("key").getBytes()))
                .invoke(seal::set);
    }

    private Uni<Void> record(SqlConnection connection, AuditContext context, String what, String id) {
        return audit.record(connection, context, new AuditEvent.ControlChanged(what, id, Map.of()));
    }

    private static Uni<Void> run(SqlConnection connection, String sql, Tuple parameters) {
        return connection.preparedQuery(sql).execute(parameters).replaceWithVoid();
    }

    private <T> Uni<T> transaction(Function<SqlConnection, Uni<T>> work) {
        return limited(pool.withTransaction(work));
    }

    private <T> Uni<T> limited(Uni<T> work) {
        Duration timeout = settings.statementTimeout();
        return work.ifNoItem().after(timeout).fail();
    }

    private static OffsetDateTime time(Instant instant) {
        return instant.atOffset(ZoneOffset.UTC);
    }
}
