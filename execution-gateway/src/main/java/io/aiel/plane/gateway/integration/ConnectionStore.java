package io.aiel.plane.gateway.integration;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.database.LimitedPool;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jboss.logging.Logger;

/** Connections and their sealed credentials in PostgreSQL. Each change is one transaction with its record. Thread-safe. */
final class ConnectionStore {
    private static final Logger LOG = Logger.getLogger(ConnectionStore.class);
    private static final int PUT_ATTEMPTS = 10;
    private static final String IN_PROJECT = "tenant = $1 and workspace = $2 and project = $3";
    private static final String ONE = IN_PROJECT + " and id = $4";

    private static final String INSERT = """
            insert into connections (tenant, workspace, project, id, provider, display_name, status, status_reason, settings,
                allowed_actions, granted_actions, calls_per_minute, timeout_ms, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
            returning *
            """;
    private static final String CHANGE = """
            update connections set display_name = $5, status = $6, status_reason = $7, settings = $8, allowed_actions = $9,
                granted_actions = $10, calls_per_minute = $11, timeout_ms = $12, updated_at = $13,
                has_credentials = has_credentials and $14, revision = revision + 1
            where %s
            returning *
            """.formatted(ONE);
    private static final String NEXT_CREDENTIALS = """
            update connections set credential_version = credential_version + 1, has_credentials = true, updated_at = $5, revision = revision + 1
            where %s and credential_version = $6
            returning *
            """.formatted(ONE);
    private static final String PUT_CREDENTIALS = """
            insert into connection_credentials (connection, version, kek, wrapped_key, sealed, created_at)
            values ($1, $2, $3, $4, $5, $6)
            """;
    private static final String FORGET_CREDENTIALS =
            "delete from connection_credentials where connection = $1 and version < $2";
    private static final String OPEN = """
            select c.*, s.kek, s.wrapped_key, s.sealed from connections c
            left join connection_credentials s on s.connection = c.id and s.version = c.credential_version
            where c.tenant = $1 and c.workspace = $2 and c.project = $3 and c.id = $4
            """;
    private static final String OLD_KEYS = """
            select s.connection, s.version, s.kek, s.wrapped_key, c.tenant from connection_credentials s
            join connections c on c.id = s.connection
            where s.kek <> $1 and s.connection > $2 order by s.connection, s.version limit $3
            """;
    private static final String REWRAP = """
            update connection_credentials set kek = $4, wrapped_key = $5 where connection = $1 and version = $2 and kek = $3
            """;

    private final LimitedPool database;
    private final ControlAudit audit;
    private final CredentialSeal seal;
    private final IntegrationSettings settings;
    private final Clock clock;

    ConnectionStore(Pool pool, ControlAudit audit, CredentialSeal seal, IntegrationSettings settings, Clock clock) {
        this.database = new LimitedPool(pool, settings.statementTimeout());
        this.audit = audit;
        this.seal = seal;
        this.settings = settings;
        this.clock = clock;
    }

    /** A connection with what opens it, still sealed; empty when it has no credentials. */
    record Loaded(Connection connection, Optional<CredentialSeal.Sealed> credentials) {}

    /** A new one; empty when the project has as many as it may. */
    Uni<Optional<Connection>> create(AuditContext context, ProjectScope scope, String provider, ConnectionWish wish) {
        String id = Ids.create(Connection.PREFIX);
        String project = scope.project().value();
        return database.transaction(connection -> connection
                .preparedQuery("select pg_advisory_xact_lock(hashtextextended('connections/' || $1::text, 0))")
                .execute(Tuple.of(project))
                .chain(() -> connection
                        .preparedQuery("select count(*) from connections where project = $1")
                        .execute(Tuple.of(project)))
                .chain(rows -> rows.iterator().next().getLong(0) >= settings.projectMax()
                        ? Uni.createFrom().item(Optional.<Connection>empty())
                        : connection
                                .preparedQuery(INSERT)
                                .execute(wished(of(scope, id).addString(provider), wish))
                                .map(ConnectionStore::one)
                                .call(() ->
                                        record(connection, context, "connection.created", id, wish.facts(provider)))));
    }

    /**
     * The same one as it is wanted now; empty when the project has none with this id.
     *
     * @param wanted of what there is, under a lock; what it throws is what the caller gets
     */
    Uni<Optional<Connection>> change(
            AuditContext context, ProjectScope scope, String id, Function<Connection, ConnectionWish> wanted) {
        return database.transaction(connection -> connection
                .preparedQuery("select * from connections where " + ONE + " for update")
                .execute(of(scope, id))
                .map(ConnectionStore::one)
                .chain(found -> found.isEmpty()
                        ? Uni.createFrom().item(found)
                        : change(connection, context, found.get(), wanted.apply(found.get()))));
    }

    private Uni<Optional<Connection>> change(
            SqlConnection connection, AuditContext context, Connection present, ConnectionWish wish) {
        return connection
                .preparedQuery(CHANGE)
                .execute(wished(of(present.scope(), present.id()), wish).addBoolean(wish.keepsCredentials()))
                .map(ConnectionStore::one)
                .call(() -> wish.keepsCredentials()
                        ? Uni.createFrom().voidItem()
                        : connection
                                .preparedQuery("delete from connection_credentials where connection = $1")
                                .execute(Tuple.of(present.id()))
                                .replaceWithVoid())
                .call(() -> record(
                        connection, context, "connection.changed", present.id(), wish.facts(present.provider())));
    }

    /** Seals these as the newest version and deletes those before; empty when the project has no connection with this id. */
    Uni<Optional<Connection>> putCredentials(AuditContext context, ProjectScope scope, String id, byte[] credentials) {
        return putCredentials(context, scope, id, credentials, PUT_ATTEMPTS);
    }

    /** Sealed before the transaction: a key management service may take its time, and no connection to the database waits for that. */
    private Uni<Optional<Connection>> putCredentials(
            AuditContext context, ProjectScope scope, String id, byte[] credentials, int attempts) {
        return find(scope, id).chain(found -> {
            if (found.isEmpty()) {
                return Uni.createFrom().item(found);
            }
            if (attempts == 0) {
                throw new Refusal(
                        ErrorCode.CONFLICT, "Others set credentials of this connection all the time; try again.");
            }
            Connection present = found.get();
            return seal.seal(present.nextCredentialPlace(), credentials)
                    .chain(kept -> database.transaction(connection -> connection
                            .preparedQuery(NEXT_CREDENTIALS)
                            .execute(of(scope, id).addOffsetDateTime(now()).addInteger(present.credentialVersion()))
                            .map(ConnectionStore::one)
                            .call(next -> next.isEmpty()
                                    ? Uni.createFrom().voidItem()
                                    : keepSealed(connection, context, next.get(), kept))))
                    // Somebody else's are set since, or the connection is gone.
                    .chain(next -> next.isEmpty()
                            ? putCredentials(context, scope, id, credentials, attempts - 1)
                            : Uni.createFrom().item(next));
        });
    }

    private Uni<Void> keepSealed(
            SqlConnection connection, AuditContext context, Connection present, CredentialSeal.Sealed kept) {
        int version = present.credentialVersion();
        return connection
                .preparedQuery(PUT_CREDENTIALS)
                .execute(Tuple.tuple()
                        .addString(present.id())
                        .addInteger(version)
                        .addString(kept.key().kek())
                        .addValue(kept.key().bytes())
                        .addValue(kept.credentials())
                        .addOffsetDateTime(now()))
                .chain(() -> connection.preparedQuery(FORGET_CREDENTIALS).execute(Tuple.of(present.id(), version)))
                .chain(() -> record(
                        connection,
                        context,
                        "connection.credentials_set",
                        present.id(),
                        Map.of("version", Integer.toString(version))));
    }

    Uni<Boolean> delete(AuditContext context, ProjectScope scope, String id) {
        return database.transaction(connection -> connection
                .preparedQuery("delete from connections where " + ONE)
                .execute(of(scope, id))
                .map(rows -> rows.rowCount() > 0)
                .call(found -> found
                        ? record(connection, context, "connection.deleted", id, Map.of())
                        : Uni.createFrom().voidItem()));
    }

    Uni<Optional<Connection>> find(ProjectScope scope, String id) {
        return database.run("select * from connections where " + ONE, of(scope, id))
                .map(ConnectionStore::one);
    }

    /** All of a project, the oldest first. */
    Uni<List<Connection>> list(ProjectScope scope) {
        return database.run("select * from connections where " + IN_PROJECT + " order by id", of(scope))
                .map(ConnectionStore::all);
    }

    /** One with its credentials, in one look, so that they belong together. */
    Uni<Optional<Loaded>> load(ProjectScope scope, String id) {
        return database.run(OPEN, of(scope, id)).map(rows -> {
            if (rows.size() == 0) {
                return Optional.empty();
            }
            Row row = rows.iterator().next();
            return Optional.of(new Loaded(
                    Connection.of(row),
                    Optional.ofNullable(row.getString("kek"))
                            .map(kek -> new CredentialSeal.Sealed(
                                    new KeyEncryption.Wrapped(kek, bytes(row, "wrapped_key")), bytes(row, "sealed")))));
        });
    }

    /**
     * Has the data keys of some credentials encrypted under the key in use now; what cannot be is passed over. When that is for what holds the keys
     * being away, the look ends there: the others would wait for it as long, one after another.
     *
     * @return the connection of the last that was looked at, to go on after; empty when there are no more
     */
    Uni<Optional<String>> rewrap(String after, int rows) {
        return seal.current()
                .chain(kek -> database.run(OLD_KEYS, Tuple.of(kek, after, rows)))
                .chain(found -> {
                    AtomicReference<String> last = new AtomicReference<>(after);
                    Uni<Boolean> goesOn = Uni.createFrom().item(true);
                    for (Row row : found) {
                        goesOn = goesOn.chain(on -> on
                                ? rewrap(row).invoke(() -> last.set(row.getString("connection")))
                                : Uni.createFrom().item(false));
                    }
                    return goesOn.map(all -> all && found.size() < rows ? Optional.empty() : Optional.of(last.get()));
                });
    }

    /** Gives whether it makes sense to go on with another. */
    private Uni<Boolean> rewrap(Row row) {
        String connection = row.getString("connection");
        int version = row.getInteger("version");
        String kek = row.getString("kek");
        return seal.rewrap(
                        new CredentialSeal.Place(row.getString("tenant"), connection, version),
                        new KeyEncryption.Wrapped(kek, bytes(row, "wrapped_key")))
                .chain(wrapped ->
                        database.run(REWRAP, Tuple.of(connection, version, kek, wrapped.kek(), wrapped.bytes())))
                .replaceWith(true)
                .onFailure(CredentialsUnavailable.class)
                .recoverWithItem(failure -> {
                    LOG.warnf("the credentials of %s stay under the key %s: %s", connection, kek, failure.getMessage());
                    return !failure.isForNow();
                });
    }

    private static Buffer bytes(Row row, String column) {
        return row.getDelegate().getBuffer(column);
    }

    private Tuple wished(Tuple parameters, ConnectionWish wish) {
        return parameters
                .addString(wish.displayName())
                .addString(Connection.status(wish.enabled()))
                .addString(wish.statusReason())
                .addValue(wish.settings())
                .addValue(wish.allowed().toArray(String[]::new))
                .addValue(wish.granted().toArray(String[]::new))
                .addInteger(wish.callsPerMinute())
                .addInteger(Math.toIntExact(wish.timeout().toMillis()))
                .addOffsetDateTime(now());
    }

    private static Tuple of(ProjectScope scope) {
        return Tuple.tuple()
                .addString(scope.tenant().value())
                .addString(scope.workspace().value())
                .addString(scope.project().value());
    }

    private static Tuple of(ProjectScope scope, String id) {
        return of(scope).addString(id);
    }

    private Uni<Void> record(
            SqlConnection connection, AuditContext context, String what, String id, Map<String, String> facts) {
        return audit.record(connection, context, new AuditEvent.ControlChanged(what, id, facts));
    }

    private static Optional<Connection> one(RowSet<Row> rows) {
        return all(rows).stream().findFirst();
    }

    private static List<Connection> all(RowSet<Row> rows) {
        List<Connection> found = new ArrayList<>(rows.size());
        rows.forEach(row -> found.add(Connection.of(row)));
        return found;
    }

    private OffsetDateTime now() {
        return clock.instant().atOffset(ZoneOffset.UTC);
    }
}
