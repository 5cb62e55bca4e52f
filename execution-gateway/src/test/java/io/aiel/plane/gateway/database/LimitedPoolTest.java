package io.aiel.plane.gateway.database;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.gateway.TestDatabase;
import io.smallrye.mutiny.TimeoutException;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A pool of one connection, which somebody else holds. */
class LimitedPoolTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final TestDatabase database = TestDatabase.open(1);
    private final SqlConnection held = await(database.pool().getConnection());
    private final LimitedPool impatient = new LimitedPool(database.pool(), Duration.ofMillis(100));
    private final LimitedPool patient = new LimitedPool(database.pool(), LIMIT);

    @AfterEach
    void close() {
        database.close();
    }

    private static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }

    /** Seen failing with the look at whether the caller is gone taken out of {@link LimitedPool}: the work began all the same. */
    @Test
    void beginsNothingForACallerWhoHasGivenUpAndServesTheNext() {
        AtomicBoolean began = new AtomicBoolean();
        assertThatThrownBy(() -> await(impatient.transaction(connection -> {
                    began.set(true);
                    return connection.query("SELECT 1").execute();
                })))
                .isInstanceOf(TimeoutException.class);

        await(held.close());

        RowSet<Row> rows = await(
                patient.transaction(connection -> connection.query("SELECT 1").execute()));
        assertThat(rows.size()).isEqualTo(1);
        assertThat(began).isFalse();
    }

    @Test
    void servesTheNextAfterOneWhoGaveUpWaitingForAStatement() {
        assertThatThrownBy(() -> await(impatient.run("SELECT 1", Tuple.tuple())))
                .isInstanceOf(TimeoutException.class);

        await(held.close());

        assertThat(await(patient.run("SELECT 1", Tuple.tuple())).size()).isEqualTo(1);
    }
}
