package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AttemptTest {
    private static final Instant NOW = Instant.parse("2026-01-02T03:04:05Z");
    private static final Duration FIRST = Duration.ofSeconds(1);
    private static final Duration LONGEST = Duration.ofSeconds(5);

    private static Attempt attempt(int number) {
        return new Attempt(number, 20, FIRST, LONGEST, 0);
    }

    private static long waitMs(Attempt attempt) {
        Attempt.Again again = attempt.afterLoss(NOW).orElseThrow();
        assertThat(again.ran()).isTrue();
        return Duration.between(NOW, again.readyAt()).toMillis();
    }

    /** Seen to fail: where each waits as long as the first. */
    @Test
    void waitsTwiceAsLongAfterEachAttemptButNoLongerThanTheLongest() {
        List<Long> wanted = List.of(1_000L, 2_000L, 4_000L, 5_000L, 5_000L);

        for (int number = 1; number <= wanted.size(); number++) {
            long least = wanted.get(number - 1);
            assertThat(waitMs(attempt(number))).as("attempt " + number).isBetween(least, least + least / 10);
        }
        assertThat(waitMs(attempt(19))).isBetween(5_000L, 5_500L);
    }

    /** Seen to fail: without the jitter. */
    @Test
    void letsWhatFailedTogetherComeBackApart() {
        assertThat(IntStream.range(0, 100)
                        .mapToLong(_ -> waitMs(attempt(3)))
                        .distinct()
                        .count())
                .isGreaterThan(10);
    }

    @Test
    void endsWithTheLastThatWasAskedFor() {
        assertThat(new Attempt(2, 2, FIRST, LONGEST, 0).afterLoss(NOW)).isEmpty();
        assertThat(new Attempt(1, 1, FIRST, LONGEST, 0).afterLoss(NOW)).isEmpty();
    }

    @Test
    void countsNoAttemptThatDidNotRunAndGivesUpInTheEnd() {
        assertThat(new Attempt(1, 1, FIRST, LONGEST, Attempt.DEFERRALS_MAX - 1).afterNothing(NOW))
                .hasValueSatisfying(again -> {
                    assertThat(again.ran()).isFalse();
                    assertThat(again.readyAt()).isAfter(NOW);
                });
        assertThat(new Attempt(1, 1, FIRST, LONGEST, Attempt.DEFERRALS_MAX).afterNothing(NOW))
                .isEmpty();
    }
}
