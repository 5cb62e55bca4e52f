package io.aiel.plane.gateway.database;

import io.smallrye.mutiny.TimeoutException;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/**
 * Connections to PostgreSQL of which each is used for a limited time. Thread-safe.
 *
 * @param limit how long one statement or transaction may take, waiting for a connection included; what takes longer fails
 */
public record LimitedPool(Pool pool, Duration limit) {
    /** Runs one statement, in a transaction of its own. */
    public Uni<RowSet<Row>> run(String sql, Tuple parameters) {
        return limited(pool.preparedQuery(sql).execute(parameters));
    }

    /**
     * Runs this in one transaction, which is rolled back when it fails. What has not begun when the caller gives up does not begin later: a
     * connection that comes then goes back at once.
     */
    public <T> Uni<T> transaction(Function<SqlConnection, Uni<T>> work) {
        return Uni.createFrom().deferred(() -> {
            AtomicBoolean gone = new AtomicBoolean();
            return limited(pool.withTransaction(connection ->
                            gone.get() ? Uni.createFrom().failure(new TimeoutException()) : work.apply(connection)))
                    .onTermination()
                    .invoke(() -> gone.set(true));
        });
    }

    private <T> Uni<T> limited(Uni<T> work) {
        return work.ifNoItem().after(limit).fail();
    }
}
