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
     * The journal's statements are put together of what a batch holds: 5,419 characters were the most seen, with parts left out. Prepared anew for each
     * batch they took a quarter of PostgreSQL's time on a server with plain calls.
     */
    private static final int CHARACTERS_MAX = 16_384;

    /**
     * Kept on one connection; what was not used for longest makes room. A load of one kind needs ten of the journal's texts and thirty others. The
     * longest of them cost PostgreSQL half a MiB each, so a connection that meets all kinds of load has some 32 MiB, and 10 as a rule.
     */
    private static final int KEPT_MAX = 64;

    @Override
    public Pool create(Input input) {
        input.pgConnectOptionsList()
                .forEach(options -> options.setPreparedStatementCacheSqlLimit(CHARACTERS_MAX)
                        .setPreparedStatementCacheMaxSize(KEPT_MAX));
        return PgBuilder.pool()
                .using(input.vertx())
                .with(input.poolOptions())
                .connectingTo(List.<SqlConnectOptions>copyOf(input.pgConnectOptionsList()))
                .build();
    }
}
