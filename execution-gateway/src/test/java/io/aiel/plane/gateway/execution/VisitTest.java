package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Which part of an execution's time the limit gets to see. */
class VisitTest {
    private long now = 1_000;
    private final Visit visit = new Visit(() -> now);
    private final WorkerRecord worker = new WorkerRecord(0, _ -> CompletableFuture.completedFuture(false), () -> now);

    /** Meant to fail: with the whole time from entering to closing. */
    @Test
    void leavesOutTheTimeThatTheCodeRan() {
        run(false, Duration.ofMillis(3), Duration.ofMillis(4), Duration.ofMinutes(10), Duration.ofMillis(5));

        assertThat(Duration.ofNanos(visit.own(worker, true))).isEqualTo(Duration.ofMillis(12));
    }

    @Test
    void leavesOutTheWaitWhenTheProjectWaitsForItsOwnExecutions() {
        run(false, Duration.ofMillis(3), Duration.ofSeconds(7), Duration.ofSeconds(1), Duration.ofMillis(5));

        assertThat(Duration.ofNanos(visit.own(worker, false))).isEqualTo(Duration.ofMillis(8));
    }

    @Test
    void leavesOutTheStartOfAWorker() {
        run(true, Duration.ofMillis(3), Duration.ofMillis(400), Duration.ofSeconds(1), Duration.ofMillis(5));

        assertThat(Duration.ofNanos(visit.own(worker, true))).isEqualTo(Duration.ofMillis(8));
    }

    private void run(boolean cold, Duration admission, Duration wait, Duration code, Duration closing) {
        visit.entered(null);
        now += admission.toNanos();
        visit.admitted();
        now += wait.toNanos();
        worker.started("w1", new JsonText("{}"), cold);
        now += code.toNanos();
        visit.ended();
        now += closing.toNanos();
    }
}
