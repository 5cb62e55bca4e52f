package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.TestDatabase;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class QueueListenerTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }

    /** Seen failing with the late connection not given back: the pool of one had none for anybody. */
    @Test
    void givesBackAConnectionThatComesWhenItIsNotWaitedForAnyMore() {
        try (TestDatabase database = TestDatabase.open(1)) {
            SqlConnection held = await(database.pool().getConnection());
            QueueListener listener = new QueueListener(database.pool(), "one", () -> {}, Duration.ofMillis(50));
            listener.listen();
            LockSupport.parkNanos(Duration.ofMillis(300).toNanos());

            await(held.close());

            assertThat(await(database.pool().query("SELECT 1").execute()).size())
                    .isEqualTo(1);
            listener.close();
        }
    }
}
