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

    @Inject
    Pool pool;

    private static String padded(int characters, String name) {
        String end = "as " + name;
        return "select 1" + " ".repeat(characters - "select 1".length() - end.length()) + end;
    }

    /** How often a plan of this statement was used, on a connection that did it twice. */
    private long plansUsed(String sql, String name) {
        SqlConnection connection = pool.getConnection().await().atMost(LIMIT);
        try {
            connection.preparedQuery(sql).execute().await().atMost(LIMIT);
            connection.preparedQuery(sql).execute().await().atMost(LIMIT);
            return connection
                    .query("select coalesce(sum(generic_plans + custom_plans), 0)::bigint from pg_prepared_statements"
                            + " where statement like '%as " + name + "'")
                    .execute()
                    .await()
                    .atMost(LIMIT)
                    .iterator()
                    .next()
                    .getLong(0);
        } finally {
            connection.close().await().atMost(LIMIT);
        }
    }

    /** Those that {@link DatabaseLimitsTest} shows to be good; here that the server's pool has them. */
    @Test
    void hasTheLimitsThatPostgresKeepsWhenThisHostIsGone() {
        var limits = pool.query(
                        "select current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout'),"
                                + " current_setting('statement_timeout'), current_setting('client_connection_check_interval')")
                .execute()
                .await()
                .atMost(LIMIT)
                .iterator()
                .next();
        assertThat(limits.getString(0)).isEqualTo("30s");
        assertThat(limits.getString(1)).isEqualTo("40s");
        assertThat(limits.getString(2)).isEqualTo("1min");
        assertThat(limits.getString(3)).isEqualTo("10s");
    }

    @Test
    void keepsPreparedStatementsThreeTimesAsLongAsTheJournalsWereSeenToBe() {
        assertThat(plansUsed(padded(16_000, "kept"), "kept")).isEqualTo(2);
    }

    @Test
    void keepsNoneThatAreLonger() {
        assertThat(plansUsed(padded(17_000, "gone"), "gone")).isZero();
    }

    /** Seen to fail without the limit: all 70 were kept. */
    @Test
    void keepsSoManyOnAConnectionThatPostgresHasMemoryForThem() {
        SqlConnection connection = pool.getConnection().await().atMost(LIMIT);
        try {
            for (int i = 0; i < 70; i++) {
                connection
                        .preparedQuery("select " + i + " as one_of_many")
                        .execute()
                        .await()
                        .atMost(LIMIT);
            }
            assertThat(connection
                            .query(
                                    "select count(*) from pg_prepared_statements where statement like 'select % as one_of_many'")
                            .execute()
                            .await()
                            .atMost(LIMIT)
                            .iterator()
                            .next()
                            .getLong(0))
                    .isBetween(60L, 64L);
        } finally {
            connection.close().await().atMost(LIMIT);
        }
    }
}
