package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How much may be in the queue, and how often that is looked up. */
class QueueBudgetTest {
    private static final ProjectId PROJECT = ProjectId.create();

    private long now;
    private int looks;
    private int rows;
    private int others;

    private final QueueBudget budget = new QueueBudget(
            _ -> Uni.createFrom().item(() -> {
                looks++;
                return new ExecutionQueue.Fill(rows, rows + others);
            }),
            10,
            15,
            () -> now);

    private QueueBudget.Room add(ProjectId project) {
        return budget.<QueueBudget.Room>within(
                        project,
                        () -> Uni.createFrom().item(() -> {
                            rows++;
                            return QueueBudget.Room.FREE;
                        }),
                        full -> full)
                .await()
                .indefinitely();
    }

    @Test
    void addsToTheLimitExactlyHoweverItsCountsAreBelieved() {
        for (int i = 0; i < 10; i++) {
            assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.FREE);
        }

        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.PROJECT_FULL);
        assertThat(rows).isEqualTo(10);
        assertThat(looks).isEqualTo(2);
    }

    @Test
    void countsWhatOtherProjectsHaveInTheQueue() {
        others = 9;
        for (int i = 0; i < 6; i++) {
            assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.FREE);
        }

        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.FULL);
    }

    @Test
    void looksAgainWhenACountIsOld() {
        rows = 10;
        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.PROJECT_FULL);
        rows = 3;
        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.PROJECT_FULL);
        assertThat(looks).isEqualTo(1);

        now += Duration.ofMillis(201).toNanos();

        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.FREE);
        assertThat(looks).isEqualTo(2);
    }

    @Test
    void countsWhatIsBeingAddedWhenItLooks() {
        List<UniEmitter<? super QueueBudget.Room>> adding = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            budget.<QueueBudget.Room>within(PROJECT, () -> Uni.createFrom().emitter(adding::add), full -> full)
                    .subscribe()
                    .with(_ -> {});
        }
        now += Duration.ofSeconds(1).toNanos();

        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.FREE);
        assertThat(add(PROJECT)).isEqualTo(QueueBudget.Room.PROJECT_FULL);
        adding.forEach(one -> one.complete(QueueBudget.Room.FREE));
    }
}
