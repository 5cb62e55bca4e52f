package io.aiel.plane.gateway.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.LocalDateTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CronExpressionTest {
    /** The 2026-11-26 is a Thursday. Seen failing when a day had to match both of its fields. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            * * * * *            | 2026-11-26T10:07 | 2026-11-26T10:07
            */15 * * * *         | 2026-11-26T10:07 | 2026-11-26T10:15
            5/20 * * * *         | 2026-11-26T10:46 | 2026-11-26T11:05
            0 3 * * *            | 2026-11-26T10:07 | 2026-11-27T03:00
            59 23 31 12 *        | 2026-11-26T10:07 | 2026-12-31T23:59
            0 0 29 2 *           | 2026-11-26T10:07 | 2028-02-29T00:00
            0 9 * * mon-fri      | 2026-11-27T09:01 | 2026-11-30T09:00
            0 9 * * 7            | 2026-11-26T10:07 | 2026-11-29T09:00
            0 9 * * 0            | 2026-11-26T10:07 | 2026-11-29T09:00
            0 9 * * SUN          | 2026-11-26T10:07 | 2026-11-29T09:00
            0 9 * * 5-7          | 2026-11-28T10:07 | 2026-11-29T09:00
            0 0 1,15 * *         | 2026-11-26T10:07 | 2026-12-01T00:00
            0 0 13 * fri         | 2026-11-26T10:07 | 2026-11-27T00:00
            0 0 13 * fri         | 2026-12-12T10:07 | 2026-12-13T00:00
            0 0 */2 * fri        | 2026-11-28T10:07 | 2026-12-11T00:00
            0 12 * jan,JUL *     | 2026-11-26T10:07 | 2027-01-01T12:00
            10-20/5,50 8-18 * * *| 2026-11-26T18:21 | 2026-11-26T18:50
            0 0 31 * *           | 2026-11-01T00:00 | 2026-12-31T00:00
            """)
    void isDueAsCronIs(String cron, LocalDateTime from, LocalDateTime due) {
        assertThat(CronExpression.parse(cron).next(from)).contains(due);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "* * * *",
                "* * * * * *",
                "60 * * * *",
                "* 24 * * *",
                "* * 0 * *",
                "* * 32 * *",
                "* * * 13 *",
                "* * * * 8",
                "* * * * mond",
                "-1 * * * *",
                "1-0 * * * *",
                "1-2-3 * * * *",
                "*/0 * * * *",
                "*/ * * * *",
                "1/2/3 * * * *",
                "1,,2 * * * *",
                ", * * * *",
                "a * * * *",
                "1.5 * * * *",
                "@daily",
                "٣ * * * *",
                "0 0 30 2 *",
                "0 0 31 4,6,9,11 *"
            })
    void refusesWhatIsNoCronOrNeverDue(String cron) {
        assertThatThrownBy(() -> CronExpression.parse(cron)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void countsAMomentAfterTheMinuteAsTheNext() {
        assertThat(CronExpression.parse("* * * * *").next(LocalDateTime.of(2026, 11, 26, 10, 7, 0, 1)))
                .contains(LocalDateTime.of(2026, 11, 26, 10, 8));
    }

    @Test
    void refusesWhatIsTooLongToBeMeant() {
        assertThatThrownBy(() -> CronExpression.parse("0,".repeat(150) + "0 * * * *"))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
