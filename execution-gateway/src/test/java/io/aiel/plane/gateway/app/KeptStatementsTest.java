package io.aiel.plane.gateway.app;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.SqlConnection;
import jakarta.inject.Inject;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The server's own connections, as it is configured. */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class KeptStatementsTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String LONG = "select 1" + " ".repeat(4_000) + "as one";

    @Inject
    Pool pool;

    /** Seen to fail: without {@code KeptStatements}, where nothing of that length is kept. */
    @Test
    void keepsAPreparedStatementHoweverLongItIs() {
        SqlConnection connection = pool.getConnection().await().atMost(LIMIT);
        try {
            connection.preparedQuery(LONG).execute().await().atMost(LIMIT);
            connection.preparedQuery(LONG).execute().await().atMost(LIMIT);

            assertThat(connection
                            .query(
                                    "select generic_plans + custom_plans from pg_prepared_statements where statement like '%as one'")
                            .execute()
                            .await()
                            .atMost(LIMIT)
                            .iterator()
                            .next()
                            .getLong(0))
                    .isEqualTo(2);
        } finally {
            connection.close().await().atMost(LIMIT);
        }
    }
}
