package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.TestDatabase;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How PostgreSQL finds the rows that leave the outbox, when it last looked at that table while nearly nothing was in it. */
class OutboxPlansTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String FILL = """
            insert into audit_outbox (id, tenant, stream, sequence, type, hash, canonical, bytes)
            select 'plan-' || n, 't', 'execution/plan-' || n, 1, 'x', 'h', '{}', 100 from generate_series(%d, %d) n
            """;

    private TestDatabase database;
    private SqlConnection connection;

    @BeforeEach
    void emptied() {
        database = TestDatabase.open(1);
        connection = await(database.pool().getConnection());
        run("set enable_seqscan = off");
        run("set enable_hashjoin = off");
        run("set enable_mergejoin = off");
        run(FILL.formatted(1, 8_000));
        // The last one stays, so that the pages before it do.
        run("delete from audit_outbox where id like 'plan-%' and id <> 'plan-8000'");
        run("vacuum (analyze) audit_outbox");
        run(FILL.formatted(8_001, 16_000));
    }

    @AfterEach
    void clean() {
        run("delete from audit_outbox where id like 'plan-%'");
        await(connection.close());
        database.close();
    }

    /** Seen to fail with the joins that these statements were: each row of the batch was compared with each of the table. */
    @ParameterizedTest
    @ValueSource(strings = {PgAuditLog.DELETE_COVERED, OutboxRelay.MARK})
    void comparesNotEachRowOfABatchWithEachOfTheTable(String statement) {
        StringBuilder plan = new StringBuilder();
        run("explain (generic_plan) " + statement)
                .forEach((Row row) -> plan.append(row.getString(0)).append('\n'));

        assertThat(plan.toString()).contains("Tid Scan on audit_outbox").doesNotContain("Join Filter");
    }

    private RowSet<Row> run(String sql) {
        return await(connection.query(sql).execute());
    }

    private static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }
}
