package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.vocabulary.Ids;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;

/**
 * The sessions of clients that begin with {@code initialize}. A session says which client's request a cancellation means, and nothing of who
 * calls: each request proves that with its token, and a session of another principal or endpoint is none. Kept in PostgreSQL, so each
 * server knows all. Thread-safe.
 */
final class Sessions {
    private static final String PREFIX = "mcps";
    private static final Duration NOTED_EVERY = Duration.ofMinutes(5);
    private static final int FORGOTTEN_AT_ONCE = 100;

    private static final String OPEN = """
            with surplus as (
                delete from mcp_sessions where id in (
                    select id from mcp_sessions where project = $2 and principal = $3
                    order by used_at desc, id desc offset $5)),
            unused as (
                delete from mcp_sessions where id in (
                    select id from mcp_sessions where used_at < clock_timestamp() - $6::bigint * interval '1 millisecond'
                    order by used_at limit $7))
            insert into mcp_sessions (id, project, principal, server) values ($1, $2, $3, $4)
            """;
    private static final String FIND = """
            select used_at < clock_timestamp() - $6::bigint * interval '1 millisecond' as unnoted from mcp_sessions
            where id = $1 and project = $2 and principal = $3 and server = $4
                and used_at >= clock_timestamp() - $5::bigint * interval '1 millisecond'
            """;
    private static final String NOTE = "update mcp_sessions set used_at = clock_timestamp() where id = $1";
    private static final String CLOSE =
            "delete from mcp_sessions where id = $1 and project = $2 and principal = $3 and server = $4";

    private final Pool pool;
    private final Duration idle;
    private final int perPrincipalMax;
    private final Duration timeout;

    /**
     * @param idle after which one is forgotten
     * @param perPrincipalMax of one principal in one project
     * @param timeout for one statement
     */
    Sessions(Pool pool, Duration idle, int perPrincipalMax, Duration timeout) {
        this.pool = pool;
        this.idle = idle;
        this.perPrincipalMax = perPrincipalMax;
        this.timeout = timeout;
    }

    /** A new session; those of the principal that are too many, and some that nobody uses any more, end. */
    Uni<String> open(Endpoint endpoint) {
        String id = Ids.create(PREFIX);
        return run(
                        OPEN,
                        named(id, endpoint)
                                .addInteger(perPrincipalMax - 1)
                                .addLong(idle.toMillis())
                                .addInteger(FORGOTTEN_AT_ONCE))
                .replaceWith(id);
    }

    /** Whether there is such a session of this caller at this endpoint; it counts as used. */
    Uni<Boolean> use(Endpoint endpoint, String session) {
        return run(FIND, named(session, endpoint).addLong(idle.toMillis()).addLong(NOTED_EVERY.toMillis()))
                .chain(rows -> {
                    for (Row row : rows) {
                        return row.getBoolean("unnoted")
                                ? run(NOTE, Tuple.of(session)).replaceWith(true)
                                : Uni.createFrom().item(true);
                    }
                    return Uni.createFrom().item(false);
                });
    }

    /** Ends the session; false when there is none such. */
    Uni<Boolean> close(Endpoint endpoint, String session) {
        return run(CLOSE, named(session, endpoint)).map(rows -> rows.rowCount() > 0);
    }

    private static Tuple named(String session, Endpoint endpoint) {
        Caller caller = endpoint.caller();
        return Tuple.of(
                session,
                caller.scope().project().value(),
                caller.principal().id().value(),
                endpoint.server().orElse(""));
    }

    private Uni<RowSet<Row>> run(String statement, Tuple values) {
        return pool.preparedQuery(statement)
                .execute(values)
                .ifNoItem()
                .after(timeout)
                .fail();
    }
}
