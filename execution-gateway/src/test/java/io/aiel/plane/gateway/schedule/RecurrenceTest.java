package io.aiel.plane.gateway.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** In Vienna the clock goes from 2:00 to 3:00 on 2026-03-29 (1:00 UTC), and from 3:00 to 2:00 on 2026-10-25 (1:00 UTC). */
class RecurrenceTest {
    private static Recurrence vienna(String cron) {
        return new Recurrence(CronExpression.parse(cron), ZoneId.of("Europe/Vienna"));
    }

    private static List<String> due(Recurrence recurrence, String after, int times) {
        List<String> due = new ArrayList<>();
        Instant at = Instant.parse(after);
        for (int i = 0; i < times; i++) {
            at = recurrence.after(at).orElseThrow();
            due.add(at.toString());
        }
        return due;
    }

    @Test
    void followsTheClockOnTheWallThroughTheYear() {
        assertThat(due(vienna("0 9 1 * *"), "2026-02-15T00:00:00Z", 3))
                .containsExactly("2026-03-01T08:00:00Z", "2026-04-01T07:00:00Z", "2026-05-01T07:00:00Z");
    }

    /** Seen failing when a change of the clock was passed over like any other hour. */
    @Test
    void isDueOnceWhenTheHourThatIsNotThereIsOver() {
        assertThat(due(vienna("30 2 * * *"), "2026-03-27T12:00:00Z", 3))
                .containsExactly("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
        assertThat(due(vienna("0,20,40 2,3 * * *"), "2026-03-29T00:30:00Z", 4))
                .containsExactly(
                        "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z", "2026-03-30T00:00:00Z");
    }

    /** Seen failing when both times counted. */
    @Test
    void isDueTheFirstTimeOnlyInTheHourThatComesTwice() {
        assertThat(due(vienna("30 2 * * *"), "2026-10-24T12:00:00Z", 2))
                .containsExactly("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        assertThat(due(vienna("*/30 2,3 * * *"), "2026-10-24T22:00:00Z", 4))
                .containsExactly(
                        "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z");
    }

    @Test
    void followsTheClockWhenItIsDueEachHour() {
        assertThat(due(vienna("30 * * * *"), "2026-10-24T23:00:00Z", 4))
                .containsExactly(
                        "2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z");
        assertThat(due(vienna("30 * * * *"), "2026-03-29T00:00:00Z", 3))
                .containsExactly("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z");
    }

    /** Half an hour on Lord Howe Island: 2:00 to 1:30 on 2026-04-05, at 15:00 UTC of the day before. */
    @Test
    void knowsClocksThatChangeByHalfAnHour() {
        Recurrence recurrence = new Recurrence(CronExpression.parse("45 1 * * *"), ZoneId.of("Australia/Lord_Howe"));

        assertThat(due(recurrence, "2026-04-04T00:00:00Z", 2))
                .containsExactly("2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z");
    }

    /** Samoa left out the 2011-12-30. */
    @Test
    void isDueWhenADayThatIsNotThereIsOver() {
        Recurrence recurrence = new Recurrence(CronExpression.parse("0 12 30 12 *"), ZoneId.of("Pacific/Apia"));

        assertThat(due(recurrence, "2011-12-01T00:00:00Z", 2))
                .containsExactly("2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z");
    }

    /** Meant to fail for any two due times that are the same or out of order, in whatever zone. */
    @Test
    void goesForwardInEachZone() {
        for (String zone : ZoneId.getAvailableZoneIds()) {
            for (String cron : List.of("*/20 * * * *", "0,30 0-3 * * *")) {
                Recurrence recurrence = new Recurrence(CronExpression.parse(cron), ZoneId.of(zone));
                Instant at = Instant.parse("2026-01-01T00:00:00Z");
                for (int i = 0; i < 50; i++) {
                    Instant next = recurrence.after(at).orElseThrow();
                    assertThat(next).as(zone + " " + cron).isAfter(at);
                    at = next.plus(Duration.ofDays(5));
                }
            }
        }
    }

    @Test
    void saysHowOftenItIsDueAtMost() {
        Instant from = Instant.parse("2026-11-26T00:00:00Z");

        assertThat(vienna("0,5 * * * *").shortest(from, 100)).contains(Duration.ofMinutes(5));
        assertThat(vienna("0 0 29 2 *").shortest(from, 2)).contains(Duration.ofDays(1461));
    }

    @Test
    void plansWhatIsDueByTheWayOfCatchingUp() {
        Recurrence hourly = vienna("0 * * * *");
        Instant first = Instant.parse("2026-11-26T01:00:00Z");
        Instant now = Instant.parse("2026-11-26T05:00:20Z");
        Duration grace = Duration.ofMinutes(1);
        Instant latest = Instant.parse("2026-11-26T05:00:00Z");
        Optional<Instant> next = Optional.of(Instant.parse("2026-11-26T06:00:00Z"));

        assertThat(DuePlan.of(hourly, first, now, CatchUp.NONE, Duration.ofHours(3), grace))
                .isEqualTo(new DuePlan(List.of(latest), Optional.of(first), next));
        assertThat(DuePlan.of(hourly, first, now, CatchUp.LAST, Duration.ofHours(3), grace))
                .isEqualTo(new DuePlan(List.of(latest), Optional.of(Instant.parse("2026-11-26T04:00:00Z")), next));
        assertThat(DuePlan.of(hourly, first, now, CatchUp.ALL, Duration.ofHours(3), grace))
                .isEqualTo(new DuePlan(
                        List.of(Instant.parse("2026-11-26T03:00:00Z"), Instant.parse("2026-11-26T04:00:00Z"), latest),
                        Optional.of(first),
                        next));
        Instant late = Instant.parse("2026-11-26T05:30:00Z");
        assertThat(DuePlan.of(hourly, latest, late, CatchUp.NONE, Duration.ofHours(3), grace))
                .isEqualTo(new DuePlan(List.of(), Optional.of(latest), next));
        assertThat(DuePlan.of(hourly, latest, late, CatchUp.LAST, Duration.ofMinutes(10), grace))
                .isEqualTo(new DuePlan(List.of(), Optional.of(latest), next));
    }

    @Test
    void beginsNoMoreAtOnceThanItMay() {
        Instant first = Instant.parse("2026-11-26T01:00:00Z");

        DuePlan plan = DuePlan.of(
                vienna("* * * * *"),
                first,
                first.plus(Duration.ofHours(1)),
                CatchUp.ALL,
                Duration.ofHours(3),
                Duration.ofMinutes(1));

        assertThat(plan.fire()).hasSize(DuePlan.FIRED_AT_ONCE).first().isEqualTo(first);
        assertThat(plan.next()).contains(first.plus(Duration.ofMinutes(DuePlan.FIRED_AT_ONCE)));
    }
}
