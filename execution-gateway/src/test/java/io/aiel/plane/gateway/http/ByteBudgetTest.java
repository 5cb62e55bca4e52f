package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Who gets room for bytes in memory, in what order, and what becomes of those who do not. */
class ByteBudgetTest {
    private static final Duration LONG = Duration.ofSeconds(30);

    private static ByteBudget.Share now(ByteBudget budget, long bytes) {
        return budget.take(bytes, LONG).await().atMost(LONG).orElseThrow();
    }

    @Test
    void holdsNoMoreThanItHasAndLetsTheNextInWhenSomebodyLeaves() {
        ByteBudget budget = new ByteBudget(100, 10);
        ByteBudget.Share first = now(budget, 60);
        List<Optional<ByteBudget.Share>> later = new ArrayList<>();
        var _ = budget.take(50, LONG).subscribe().with(later::add);
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
        ByteBudget.Share first = now(budget, 60);
        List<String> order = new ArrayList<>();
        var _ = budget.take(90, LONG).subscribe().with(_ -> order.add("large"));
        var _ = budget.take(1, LONG).subscribe().with(_ -> order.add("small"));

        first.close();

        assertThat(order).containsExactly("large", "small");
    }

    @Test
    void givesUpAfterTheLimitAndRefusesAtOnceWhenTooManyWait() {
        ByteBudget budget = new ByteBudget(100, 1);
        ByteBudget.Share all = now(budget, 1_000);
        List<Optional<ByteBudget.Share>> waiting = new ArrayList<>();
        var _ = budget.take(1, LONG).subscribe().with(waiting::add);

        assertThat(budget.take(1, LONG).await().atMost(LONG)).isEmpty();
        all.close();

        assertThat(waiting).hasSize(1);
        assertThat(new ByteBudget(0, 1).take(1, LONG).await().atMost(LONG)).isPresent();
        ByteBudget full = new ByteBudget(1, 1);
        assertThat(now(full, 1)).isNotNull();
        assertThat(full.take(1, Duration.ofMillis(20)).await().atMost(LONG)).isEmpty();
        assertThat(full.held()).isEqualTo(1);
    }
}
