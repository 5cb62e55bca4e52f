package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Who of those that wait for a worker has the next turn. */
class JobLineTest {
    private final JobLine line = new JobLine();

    /** Seen to fail: in one line, a caller waits for all queued executions that came before, and the other way about. */
    @Test
    void callersAndTheQueueTakeTurns() {
        Job queuedFirst = add(true);
        Job queuedSecond = add(true);
        Job queuedThird = add(true);
        Job caller = add(false);
        Job otherCaller = add(false);

        assertThat(Stream.generate(line::poll).limit(6))
                .containsExactly(caller, queuedFirst, otherCaller, queuedSecond, queuedThird, null);
    }

    @Test
    void whoHasJustComeToAnEmptyLineDoesNotWaitForHisTurn() {
        add(false);
        line.poll();
        Job caller = add(false);

        assertThat(line.poll()).as("it is the queue's turn, and it has nobody").isSameAs(caller);

        Job queued = add(true);
        assertThat(line.poll()).isSameAs(queued);
    }

    @Test
    void knowsHowLongTheFirstHasWaitedWhoeverHasTheTurn() {
        Job queued = add(true);
        assertThat(line.oldest()).isEqualTo(queued.created());
        add(false);
        assertThat(line.oldest()).isEqualTo(queued.created());

        line.remove(queued);
        Job queuedLater = add(true);

        assertThat(line.oldest()).isLessThan(queuedLater.created());
    }

    @Test
    void losesNobody() {
        Job queued = add(true);
        Job caller = add(false);
        Job gone = add(false);
        assertThat(line.contains(gone)).isTrue();

        assertThat(line.remove(gone)).isTrue();
        assertThat(line.remove(gone)).isFalse();

        assertThat(line.contains(gone)).isFalse();
        assertThat(line.size()).isEqualTo(2);
        assertThat(line.drain()).containsExactlyInAnyOrder(queued, caller);
        assertThat(line.isEmpty()).isTrue();
        assertThat(line.poll()).isNull();
    }

    private Job add(boolean queued) {
        Job job = new Job(
                new HydrationRequest(
                        ExecutionId.create(),
                        new ResolvedCapability(
                                Plane.scope(),
                                Optional.empty(),
                                new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                                "minimal",
                                Optional.empty()),
                        new JsonText("{}"),
                        Duration.ofSeconds(1),
                        Map.of(),
                        false,
                        false,
                        queued,
                        Optional.empty()),
                Duration.ofSeconds(1),
                List.of(),
                new Plane.Listener(),
                _ -> {});
        line.add(job);
        return job;
    }
}
