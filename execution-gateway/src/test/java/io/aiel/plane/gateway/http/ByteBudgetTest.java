package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.http.ByteBudget.Holder;
import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Who gets room for bytes in memory, in what order, and what becomes of those who do not. */
class ByteBudgetTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Holder ONE = new Holder.Uploads(ProjectId.create());
    private static final Holder OTHER = new Holder.Uploads(ProjectId.create());
    private static final Holder THIRD = new Holder.Downloads();

    private static ByteBudget.Share now(ByteBudget budget, Holder holder, long bytes) {
        return budget.take(holder, bytes, LONG).await().atMost(LONG).orElseThrow();
    }

    @Test
    void holdsNoMoreThanItHasAndLetsTheNextInWhenSomebodyLeaves() {
        ByteBudget budget = new ByteBudget(100, 10);
        ByteBudget.Share first = now(budget, ONE, 60);
        List<Optional<ByteBudget.Share>> later = new ArrayList<>();
        var _ = budget.take(OTHER, 50, LONG).subscribe().with(later::add);
        assertThat(later).isEmpty();
        assertThat(budget.held()).isEqualTo(60);

        first.close();
        first.close();

        assertThat(later).singleElement().satisfies(share -> assertThat(share).isPresent());
        assertThat(budget.held()).isEqualTo(50);
    }

    @Test
    void letsNobodyPassALargeOneThatWaits() {
        ByteBudget budget = new ByteBudget(100, 10);
        ByteBudget.Share first = now(budget, ONE, 60);
        List<String> order = new ArrayList<>();
        var _ = budget.take(OTHER, 90, LONG).subscribe().with(_ -> order.add("large"));
        var _ = budget.take(THIRD, 1, LONG).subscribe().with(_ -> order.add("small"));

        first.close();

        assertThat(order).containsExactly("large", "small");
    }

    @Test
    void givesUpAfterTheLimitAndRefusesAtOnceWhenTooManyWait() {
        ByteBudget budget = new ByteBudget(100, 1);
        ByteBudget.Share all = now(budget, ONE, 1_000);
        List<Optional<ByteBudget.Share>> waiting = new ArrayList<>();
        var _ = budget.take(OTHER, 1, LONG).subscribe().with(waiting::add);

        assertThat(budget.take(THIRD, 1, LONG).await().atMost(LONG)).isEmpty();
        all.close();

        assertThat(waiting).hasSize(1);
        assertThat(new ByteBudget(0, 1).take(ONE, 1, LONG).await().atMost(LONG)).isPresent();
        ByteBudget full = new ByteBudget(1, 1);
        assertThat(now(full, ONE, 1)).isNotNull();
        assertThat(full.take(OTHER, 1, Duration.ofMillis(20)).await().atMost(LONG))
                .isEmpty();
        assertThat(full.held()).isEqualTo(1);
    }

    /** Seen to fail: with the bytes of all together alone, the loud project had all of them and the polite one waited. */
    @Test
    void leavesRoomToOthersWhenOneWantsAllOfIt() {
        ByteBudget budget = new ByteBudget(32, 100);
        List<ByteBudget.Share> loud = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            var _ = budget.take(ONE, 10, LONG).subscribe().with(found -> loud.add(found.orElseThrow()));
        }
        assertThat(loud).hasSize(2);

        ByteBudget.Share polite = now(budget, OTHER, 10);
        now(budget, THIRD, 2).close();
        polite.close();
        for (int i = 0; i < 10; i++) {
            loud.get(i).close();
        }

        assertThat(loud).hasSize(10);
        assertThat(budget.held()).isZero();
    }

    /** Seen to fail: with the places to wait of all together alone, the polite project was refused at once. */
    @Test
    void leavesPlacesToWaitToOthers() {
        ByteBudget budget = new ByteBudget(10, 4);
        ByteBudget.Share all = now(budget, THIRD, 10);
        List<Optional<ByteBudget.Share>> loud = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            var _ = budget.take(ONE, 1, LONG).subscribe().with(loud::add);
        }
        assertThat(loud).hasSize(2).containsOnly(Optional.empty());
        List<Optional<ByteBudget.Share>> polite = new ArrayList<>();
        var _ = budget.take(OTHER, 1, LONG).subscribe().with(polite::add);
        assertThat(polite).isEmpty();

        all.close();

        assertThat(polite).singleElement().satisfies(share -> assertThat(share).isPresent());
        assertThat(loud).hasSize(4);
    }

    /** Seen to fail: with the small one of the same project let through, it passed the large one. */
    @Test
    void letsNobodyOfTheSameProjectPassALargeOneEither() {
        ByteBudget budget = new ByteBudget(100, 10);
        ByteBudget.Share first = now(budget, ONE, 40);
        List<String> order = new ArrayList<>();
        var _ = budget.take(ONE, 40, LONG).subscribe().with(_ -> order.add("large"));
        var _ = budget.take(ONE, 1, LONG).subscribe().with(_ -> order.add("small"));
        var _ = budget.take(OTHER, 1, LONG).subscribe().with(_ -> order.add("other"));

        first.close();

        assertThat(order).containsExactly("other", "large", "small");
    }
}
