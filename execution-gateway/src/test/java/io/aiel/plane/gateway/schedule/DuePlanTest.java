package io.aiel.plane.gateway.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is begun of a schedule by whoever looks at it once a minute, with a clock that does not only go on. */
class DuePlanTest {
    private static final Recurrence HOURLY = new Recurrence(CronExpression.parse("0 * * * *"), ZoneId.of("UTC"));
    private static final Duration WINDOW = Duration.ofHours(3);
    private static final Duration GRACE = Duration.ofMinutes(5);

    private final List<String> begun = new ArrayList<>();
    private final List<String> missed = new ArrayList<>();
    private Optional<Instant> next = Optional.of(Instant.parse("2026-11-26T10:00:00Z"));

    private void look(CatchUp catchUp, String from, String to) {
        Instant end = Instant.parse(to);
        for (Instant now = Instant.parse(from); now.isBefore(end); now = now.plusSeconds(60)) {
            DuePlan plan = DuePlan.of(HOURLY, next.orElseThrow(), now, catchUp, WINDOW, GRACE);
            plan.fire().forEach(dueAt -> begun.add(dueAt.toString()));
            plan.missed().ifPresent(dueAt -> missed.add(dueAt.toString()));
            next = plan.next();
        }
    }

    /** Seen to fail: with what is due reckoned from the clock and not from what was dealt with, 12:00 was begun again. */
    @ParameterizedTest
    @EnumSource(CatchUp.class)
    void beginsEachDueTimeOnceWhenTheClockIsSetBackAnHour(CatchUp catchUp) {
        look(catchUp, "2026-11-26T09:50:30Z", "2026-11-26T12:30:00Z");
        look(catchUp, "2026-11-26T11:30:30Z", "2026-11-26T14:30:00Z");

        assertThat(begun)
                .containsExactly(
                        "2026-11-26T10:00:00Z",
                        "2026-11-26T11:00:00Z",
                        "2026-11-26T12:00:00Z",
                        "2026-11-26T13:00:00Z",
                        "2026-11-26T14:00:00Z");
        assertThat(missed).isEmpty();
    }

    /** Set forward, it is told to begin what is not due for others yet; set back again, it must not begin that a second time. */
    @ParameterizedTest
    @EnumSource(CatchUp.class)
    void beginsNothingTwiceWhenTheClockWasAnHourAheadForAWhile(CatchUp catchUp) {
        look(catchUp, "2026-11-26T09:50:30Z", "2026-11-26T10:30:00Z");
        look(catchUp, "2026-11-26T11:30:30Z", "2026-11-26T12:10:00Z");
        look(catchUp, "2026-11-26T11:10:30Z", "2026-11-26T13:30:00Z");

        assertThat(begun).doesNotHaveDuplicates().endsWith("2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z");
        assertThat(begun.size() + missed.size())
                .as("10, 11, 12 and 13 o'clock, begun or told as missed")
                .isEqualTo(4);
    }
}
