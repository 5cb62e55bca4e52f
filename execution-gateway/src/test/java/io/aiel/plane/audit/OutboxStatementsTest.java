package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.TestDatabase;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Transaction;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How rows leave the outbox: found quickly though PostgreSQL last looked at that table while nearly nothing was in it, and none is missed. */
class OutboxStatementsTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String FILL = """
            insert into audit_outbox (id, tenant, stream, sequence, type, hash, canonical, bytes)
            select 'plan-' || n, 't', 'execution/plan-' || n, 1, 'x', 'h', '{}', 100 from generate_series(%d, %d) n
            """;

    private TestDatabase database;
    private SqlConnection connection;

    @BeforeEach
    void emptied() {
        database = TestDatabase.open(3);
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

        assertThat(plan.toString())
                .containsPattern("(Scan using|Scan on) audit_outbox_pkey")
                .doesNotContain("Join Filter");
    }

    /**
     * Seen to fail when the rows were deleted by their place, which a row leaves when it is marked: it then stayed in the outbox
     * until it was published once more, minutes later.
     */
    @Test
    void deletesARecordThatTheRelayMarksMeanwhile() {
        long position = run("select position from audit_outbox where id = 'plan-8001'")
                .iterator()
                .next()
                .getLong(0);
        SqlConnection relay = await(database.pool().getConnection());
        Transaction marking = await(relay.begin());
        await(relay.preparedQuery(OutboxRelay.MARK).execute(Tuple.tuple().addArrayOfLong(new Long[] {position})));

        CompletableFuture<RowSet<Row>> deleted = connection
                .preparedQuery(PgAuditLog.DELETE_COVERED)
                .execute(Tuple.tuple()
                        .addArrayOfString(new String[] {"execution/plan-8001"})
                        .addArrayOfLong(new Long[] {1L})
                        .addArrayOfString(new String[] {"h"}))
                .subscribeAsCompletionStage()
                .toCompletableFuture();
        awaitBlocked();
        await(marking.commit());
        await(relay.close());

        assertThat(await(Uni.createFrom().completionStage(deleted))
                        .iterator()
                        .next()
                        .getLong(0))
                .isEqualTo(1);
        assertThat(run("select from audit_outbox where id = 'plan-8001'").size())
                .isZero();
    }

    /** Until the one deleting waits for the one marking. */
    private void awaitBlocked() {
        long end = System.nanoTime() + LIMIT.toNanos();
        do {
            assertThat(System.nanoTime()).as("a limit of " + LIMIT).isLessThan(end);
        } while (await(database.pool()
                                .query(
                                        "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%gone%'")
                                .execute())
                        .size()
                == 0);
    }

    private RowSet<Row> run(String sql) {
        return await(connection.query(sql).execute());
    }

    private static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }
}
