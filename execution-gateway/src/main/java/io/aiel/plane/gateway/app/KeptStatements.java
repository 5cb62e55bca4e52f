package io.aiel.plane.gateway.app;

import io.quarkus.reactive.pg.client.PgPoolCreator;
import io.vertx.pgclient.PgBuilder;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.SqlConnectOptions;
import jakarta.inject.Singleton;
import java.util.List;

/**
 * Makes the connections to PostgreSQL as configured, and keeps what was prepared on them whatever its length. Left to itself the client prepares
 * a statement of more than 2,048 characters anew each time: one round trip and one plan more, which took twice as long as what was to be done.
 */
@Singleton
public class KeptStatements implements PgPoolCreator {
    /** Longer than any statement of the plane by far; how many are kept of a connection is limited by itself. */
    private static final int CHARACTERS_MAX = 64 * 1024;

    @Override
    public Pool create(Input input) {
        input.pgConnectOptionsList().forEach(options -> options.setPreparedStatementCacheSqlLimit(CHARACTERS_MAX));
        return PgBuilder.pool()
                .using(input.vertx())
                .with(input.poolOptions())
                .connectingTo(List.<SqlConnectOptions>copyOf(input.pgConnectOptionsList()))
                .build();
    }
}
