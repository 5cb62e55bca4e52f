package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.loops.EventLoops;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.net.TrustOptions;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.pgclient.PgException;
import io.vertx.pgclient.SslMode;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * {@code postgres.query} and {@code postgres.insert}. A query is one statement in a transaction that may only read, cut to so many rows and bytes by the
 * server it runs on; values are bound, names are quoted. Between calls nothing of a session is kept. Thread-safe; only resolving blocks, on threads of
 * its own.
 */
final class PostgresActionRunner implements ActionRunner, AutoCloseable {
    static final String PROVIDER = "postgres";
    private static final String QUERY = "postgres.query";
    private static final int PORT = 5432;
    private static final int ROWS = 1_000;
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);
    private static final Duration CLEANING_LIMIT = Duration.ofSeconds(5);

    /** As the schemas of settings and params say, and the one that tells that there are more. */
    private static final int ROWS_MAX = 10_001;

    private static final int NOTICES = 1_000;
    private static final int NOTICES_BYTES = 1 << 20;

    /** What is beside the rows in a result. */
    private static final int RESULT_FRAME_BYTES = 1_024;

    private static final String TYPES =
            "select pg_catalog.array_to_json(parameter_types::text[])::text from pg_catalog.pg_prepared_statements where name = 'plane_statement'";

    private static final ObjectMapper ROWS_JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private final PostgresSockets sockets;
    private final StoreHosts hosts;
    private final StoreSessions<PostgresLink> sessions;
    private final int resultBytesMax;

    PostgresActionRunner(Vertx vertx, CheckedResolver resolver, IntegrationSettings settings) {
        // Beside the rows there are their frames, and notices.
        this.sockets = new PostgresSockets(new PostgresGuard.Limits(
                2L * settings.resultBytesMax() + NOTICES_BYTES, ROWS_MAX + NOTICES, CONNECT_LIMIT));
        this.hosts = new StoreHosts(resolver);
        this.sessions = new StoreSessions<>(vertx, settings.idleMax(), settings.idleTimeout());
        this.resultBytesMax = settings.resultBytesMax();
    }

    @Override
    public boolean serves(String provider) {
        return provider.equals(PROVIDER);
    }

    @Override
    public Uni<ActionResult> run(ActionRequest request) {
        AtomicBoolean committing = new AtomicBoolean();
        StoreSessions.Key key = StoreSessions.Key.of(request);
        return EventLoops.goOnHere(Uni.createFrom()
                .item(() -> statement(request))
                .chain(work -> sessions.use(
                        key,
                        () -> connect(request),
                        request.timeout(),
                        link -> work.apply(link.connection(), committing),
                        (session, failure) -> giveBack(key, session, failure)))
                .<ActionResult>map(ActionResult.Done::new)
                .onFailure()
                .recoverWithItem(failure -> ended(failure, committing.get(), request.credentials())));
    }

    /** What a broken call leaves behind is nobody's: the server undoes it when the connection is gone. */
    private void giveBack(
            StoreSessions.Key key, StoreSessions.Session<PostgresLink> session, Optional<Throwable> failure) {
        if (failure.isEmpty()) {
            clean(key, session);
        } else {
            session.close();
        }
    }

    /** What an action does on a connection. */
    @FunctionalInterface
    private interface Work {
        Uni<ObjectNode> apply(PgConnection connection, AtomicBoolean committing);
    }

    /** All that can be found wrong with a request without a connection is found here. */
    private Work statement(ActionRequest request) {
        try {
            return request.action().equals(QUERY) ? query(request) : insert(request);
        } catch (IllegalArgumentException e) {
            throw new RequestRefused("invalid_sql", 400, String.valueOf(e.getMessage()));
        }
    }

    private Work query(ActionRequest request) {
        ObjectNode params = request.params();
        NamedSql sql = NamedSql.parse(params.path("sql").asText());
        List<JsonNode> values = new ArrayList<>();
        for (String name : sql.names()) {
            if (!params.path("params").has(name)) {
                throw new IllegalArgumentException("There is no value for :" + name + " in params.");
            }
            values.add(params.path("params").path(name));
        }
        int most = request.settings().path("max_rows").asInt(ROWS);
        int rows = Math.min(
                most, params.path("max_rows").isInt() ? params.path("max_rows").asInt() : most);
        int bytes = resultBytesMax - RESULT_FRAME_BYTES;
        return (connection, _) -> query(connection, begin("read only", request))
                .chain(() -> types(connection, sql.numbered(), values.size()))
                .chain(types ->
                        prepared(connection, cut(sql.with(castable(types)), bytes, rows + 1), values(values, types)))
                .map(found -> result(found, rows));
    }

    /** The statement in one of ours, which writes its rows as JSON and stops at so many bytes and rows. */
    private static String cut(String statement, int bytes, int rows) {
        // The line ends keep a comment at the end of the statement from taking what follows along.
        return """
                select case when taken <= %d then one end from (
                  select one, sum(octet_length(one)) over (rows unbounded preceding) as taken from (
                    select pg_catalog.row_to_json(plane_row)::text as one from (
                %s
                    ) as plane_row limit %d) as plane_rows) as plane_cut
                """.formatted(bytes, statement, rows);
    }

    private ObjectNode result(RowSet<Row> found, int most) {
        ArrayNode rows = ROWS_JSON.createArrayNode();
        boolean truncated = false;
        long taken = 0;
        for (Row row : found) {
            @Nullable String one = row.getString(0);
            if (one == null || rows.size() == most) {
                truncated = true;
                break;
            }
            taken += one.length();
            rows.add(read(within(taken, one)));
        }
        if (truncated && rows.isEmpty()) {
            throw new RequestRefused(
                    "result_too_large", 422, "One row alone is larger than a result may be; select less of it.");
        }
        ObjectNode result = ROWS_JSON.createObjectNode();
        result.set("rows", rows);
        return result.put("row_count", rows.size()).put("truncated", truncated);
    }

    private Work insert(ActionRequest request) {
        ObjectNode params = request.params();
        String table = params.path("table").asText();
        JsonNode tables = request.settings().path("tables");
        if (tables.isArray()
                && tables.valueStream().noneMatch(one -> one.asText().equals(table))) {
            throw new RequestRefused(
                    "table_not_allowed", 403, "The connection does not allow inserts into this table.");
        }
        List<String> columns = new ArrayList<>();
        List<JsonNode> values = new ArrayList<>();
        params.path("values").properties().forEach(member -> {
            columns.add(member.getKey());
            values.add(member.getValue());
        });
        List<String> returning = texts(params.path("returning"));
        String conflict = conflict(params.path("conflict"));
        Function<List<String>, String> statement = parameters -> "insert into " + PostgresText.quotedTable(table) + " ("
                + PostgresText.quotedList(columns) + ") values (" + String.join(", ", parameters) + ")" + conflict;
        String plain = statement.apply(numbers(values.size()));
        return (connection, committing) -> query(connection, begin("read write", request))
                .chain(() -> types(connection, plain, values.size()))
                .chain(types -> prepared(
                        connection,
                        returningRows(statement.apply(cast(castable(types))), returning),
                        values(values, types)))
                .map(found -> inserted(found, returning))
                .call(() -> {
                    committing.set(true);
                    return query(connection, "commit");
                })
                .invoke(() -> committing.set(false));
    }

    private static String conflict(JsonNode conflict) {
        if (!conflict.isObject()) {
            return "";
        }
        String target = " on conflict (" + PostgresText.quotedList(texts(conflict.path("target"))) + ")";
        List<String> updated = texts(conflict.path("update_fields"));
        if (conflict.path("action").asText().equals("do_nothing")) {
            if (!updated.isEmpty()) {
                throw new IllegalArgumentException("conflict.update_fields goes with do_update only.");
            }
            return target + " do nothing";
        }
        if (updated.isEmpty()) {
            throw new IllegalArgumentException("conflict.update_fields must name what do_update changes.");
        }
        return target + " do update set "
                + String.join(
                        ", ",
                        updated.stream()
                                .map(PostgresText::quoted)
                                .map(field -> field + " = excluded." + field)
                                .toList());
    }

    private String returningRows(String insert, List<String> returning) {
        if (returning.isEmpty()) {
            return insert;
        }
        return "with plane_row as (" + insert + " returning " + PostgresText.quotedList(returning)
                + ") select case when octet_length(one) <= " + (resultBytesMax - RESULT_FRAME_BYTES)
                + " then one end from (select pg_catalog.row_to_json(plane_row)::text as one from plane_row) as plane_rows";
    }

    private ObjectNode inserted(RowSet<Row> found, List<String> returning) {
        ArrayNode rows = ROWS_JSON.createArrayNode();
        long taken = 0;
        if (!returning.isEmpty()) {
            for (Row row : found) {
                @Nullable String one = row.getString(0);
                if (one == null) {
                    throw new RequestRefused(
                            "result_too_large", 422, "The row to return is larger than a result may be; return less.");
                }
                taken += one.length();
                rows.add(read(within(taken, one)));
            }
        }
        ObjectNode result =
                ROWS_JSON.createObjectNode().put("inserted", returning.isEmpty() ? found.rowCount() : rows.size());
        result.set("returning_rows", rows);
        return result;
    }

    private static List<String> texts(JsonNode list) {
        return list.valueStream().map(JsonNode::asText).toList();
    }

    private static List<String> numbers(int count) {
        return cast(Collections.nCopies(count, ""));
    }

    private static List<String> cast(List<String> types) {
        List<String> parameters = new ArrayList<>();
        for (String type : types) {
            String parameter = "$" + (parameters.size() + 1);
            parameters.add(type.isEmpty() ? parameter : "(" + parameter + "::text)::" + type);
        }
        return parameters;
    }

    private static String begin(String mode, ActionRequest request) {
        long limit = request.timeout().toMillis();
        long statement =
                Math.min(limit, request.settings().path("statement_timeout_ms").asLong(limit));
        // Strings are read as NamedSql reads them, and values written the same way on every server.
        return """
                begin %s;
                set local statement_timeout = %d;
                set local lock_timeout = %d;
                set local client_min_messages = error;
                set local standard_conforming_strings = on;
                set local timezone = 'UTC';
                set local intervalstyle = iso_8601;
                set local bytea_output = hex;
                set local xmlbinary = base64
                """.formatted(mode, statement, statement);
    }

    /**
     * The types that the server takes the parameters for. All are sent as text then and cast there, so that what a caller may write is what the server
     * reads, and nothing is guessed from the form of the JSON.
     */
    private static Uni<List<String>> types(PgConnection connection, String statement, int parameters) {
        if (parameters == 0) {
            return Uni.createFrom().item(List.of());
        }
        return prepared(connection, "prepare plane_statement as " + statement, Tuple.tuple())
                .chain(() -> query(connection, TYPES))
                .map(rows -> texts(read(rows.iterator().next().getString(0))))
                .call(() -> query(connection, "deallocate plane_statement"))
                .invoke(types -> {
                    if (types.size() != parameters) {
                        throw new RequestRefused("invalid_sql", 400, "The parameters of the statement are not clear.");
                    }
                });
    }

    private static List<String> castable(List<String> types) {
        return types.stream().map(PostgresText::castable).toList();
    }

    private static Tuple values(List<JsonNode> values, List<String> types) {
        Tuple tuple = Tuple.tuple();
        for (int i = 0; i < values.size(); i++) {
            tuple.addString(PostgresText.value(values.get(i), types.get(i)));
        }
        return tuple;
    }

    /** Servers cut by themselves; one that does not is not believed. */
    private String within(long taken, String row) {
        if (taken > resultBytesMax) {
            throw new RequestRefused("result_too_large", 422, "The server gave more than it was asked for.");
        }
        return row;
    }

    private static JsonNode read(String row) {
        try {
            return ROWS_JSON.readTree(row);
        } catch (JsonProcessingException e) {
            throw new RequestRefused(
                    "invalid_sql", 400, "Two columns of the result have the same name; name them with AS.");
        }
    }

    /** Takes back all that a call can leave in a session. What cannot be cleaned is closed. */
    private void clean(StoreSessions.Key key, StoreSessions.Session<PostgresLink> session) {
        PgConnection connection = session.connection().connection();
        query(connection, "rollback")
                .chain(() -> query(connection, "discard all"))
                .ifNoItem()
                .after(CLEANING_LIMIT)
                .fail()
                .subscribe()
                .with(_ -> sessions.give(key, session), _ -> session.close());
    }

    private Uni<PostgresLink> connect(ActionRequest request) {
        String host = request.settings().path("host").asText();
        return hosts.resolve(host)
                .chain(address -> connect(request, host, address))
                .map(connection -> new PostgresLink(connection, sockets));
    }

    private Uni<PgConnection> connect(ActionRequest request, String host, InetAddress address) {
        ObjectNode settings = request.settings();
        Duration limit = request.timeout().compareTo(CONNECT_LIMIT) < 0 ? request.timeout() : CONNECT_LIMIT;
        PgConnectOptions options = new PgConnectOptions()
                // The address that was checked; the certificate is held against the name.
                .setHost(address.getHostAddress())
                .setPort(settings.path("port").asInt(PORT))
                .setDatabase(settings.path("database").asText())
                .setUser(settings.path("user").asText())
                .setPassword(request.credentials().path("password").asText())
                .setProperties(Map.of("application_name", "aiel-plane"))
                .setCachePreparedStatements(false);
        options.setConnectTimeout(Math.toIntExact(limit.toMillis()));
        StoreHosts.trust(settings)
                .ifPresentOrElse(
                        trust -> options.setSslMode(SslMode.VERIFY_CA).setTrustOptions(TrustOptions.wrap(trust)),
                        () -> options.setSslMode(SslMode.DISABLE));
        return Uni.createFrom()
                .deferred(() -> {
                    // What a server has to remark is nobody's here, and would be logged as it stands.
                    Future<PgConnection> connecting = PgConnection.connect(sockets.vertx(), options)
                            .onSuccess(connection ->
                                    connection.noticeHandler(_ -> {}).exceptionHandler(_ -> {}));
                    return uni(() -> connecting)
                            .ifNoItem()
                            .after(limit)
                            .fail()
                            .onTermination()
                            .invoke((came, _, _) -> {
                                if (came == null) {
                                    // Should it come yet, nobody has it.
                                    connecting.onSuccess(sockets::end);
                                }
                            });
                })
                .onFailure(failure -> !(failure instanceof PgException))
                .transform(_ -> new RequestRefused(
                        "unreachable",
                        502,
                        "The database at " + host + " could not be connected to, or its certificate is not trusted."));
    }

    private static Uni<RowSet<Row>> query(PgConnection connection, String sql) {
        return uni(() -> connection.query(sql).execute());
    }

    /** By the extended protocol, which takes one statement and no more. */
    private static Uni<RowSet<Row>> prepared(PgConnection connection, String sql, Tuple values) {
        return uni(() -> connection.preparedQuery(sql).execute(values));
    }

    private static <T> Uni<T> uni(Supplier<Future<T>> work) {
        return Uni.createFrom().completionStage(() -> work.get().toCompletionStage());
    }

    /** Before a commit was sent, an end without an answer changed nothing: the server undoes what is not committed. */
    private static ActionResult ended(Throwable failure, boolean committing, ObjectNode credentials) {
        return switch (failure) {
            case RequestRefused refused -> refused.result();
            case PgException said when !(committing && isGone(said)) -> said(said, credentials);
            case Exception _
            when committing -> new ActionResult.Unknown("The connection to the database was lost while it wrote.");
            case io.smallrye.mutiny.TimeoutException _ ->
                ActionResult.refused("timeout", "The statement took too long.", 504);
            default -> ActionResult.refused("connection_lost", "The connection to the database was lost.", 502);
        };
    }

    /** The server ends, or has lost the connection: what it did last is not known. */
    private static boolean isGone(PgException said) {
        String state = String.valueOf(said.getSqlState());
        return state.startsWith("57") || state.startsWith("08");
    }

    private static ActionResult said(PgException said, ObjectNode credentials) {
        String state = String.valueOf(said.getSqlState());
        String message = "PostgreSQL says: "
                + CredentialScrub.shown(String.valueOf(said.getErrorMessage()) + " (" + state + ")", credentials);
        return switch (state.substring(0, Math.min(2, state.length()))) {
            case "28" -> ActionResult.refused("invalid_auth", message, 403);
            case "23" -> ActionResult.refused("constraint_violation", message, 409);
            case "25" -> ActionResult.refused("read_only", message, 403);
            case "53", "57", "58", "08" ->
                state.equals("57014")
                        ? ActionResult.refused("timeout", message, 504)
                        : ActionResult.refused("provider_error", message, 502);
            default ->
                state.equals("42501")
                        ? ActionResult.refused("permission_denied", message, 403)
                        : ActionResult.refused("invalid_sql", message, 400);
        };
    }

    /** How many connections wait for the next call. */
    int idle() {
        return sessions.idle();
    }

    @Override
    public void close() {
        sessions.close();
        sockets.close();
        hosts.close();
    }
}
