package io.aiel.plane.gateway.app;

import io.quarkus.reactive.pg.client.PgPoolCreator;
import io.vertx.pgclient.PgBuilder;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.SqlConnectOptions;
import jakarta.inject.Singleton;
import java.util.List;

/**
 * Makes the connections to PostgreSQL as configured, and keeps what was prepared on them up to a greater length. Left to itself the client prepares
 * a statement of more than 2,048 characters anew each time: one round trip and one plan more, which took twice as long as what was to be done.
 */
@Singleton
public class KeptStatements implements PgPoolCreator {
    /**
     * The longest of those that are always the same (looking for queued work, appending to memory) fit. The journal's are put together of what
     * a batch holds; the longer of them, of which there are many, stay out, as each costs PostgreSQL a third of a MiB on each connection.
     */
    private static final int CHARACTERS_MAX = 2_560;

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
