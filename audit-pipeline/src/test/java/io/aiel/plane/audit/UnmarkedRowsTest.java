package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Which published rows are marked, in virtual time. */
class UnmarkedRowsTest {
    private static final long START = -50;
    private static final long AFTER = UnmarkedRows.MARK_AFTER.toNanos();

    private final UnmarkedRows rows = new UnmarkedRows(1_000);

    @Test
    void leavesARowToTheSinkForAsLongAsItMayTake() {
        rows.add(List.of(7L, 8L), START);
        rows.add(List.of(9L), START + 1);

        assertThat(rows.due(START + AFTER)).isEmpty();
        assertThat(rows.due(START + AFTER + 1)).containsExactly(7L, 8L);
        assertThat(rows.due(START + AFTER + 2)).containsExactly(7L, 8L, 9L);
    }

    /** Seen to fail when all were due as soon as there were too many: the latest, which the sink had not had yet, were written once more. */
    @Test
    void givesOnlyTheOldestOfWhatIsTooMuch() {
        rows.add(positions(1, 900), START);
        rows.add(positions(901, 1_300), START + 1);

        List<Long> due = rows.due(START + 2);

        assertThat(due).isEqualTo(positions(1, 300));
        rows.remove(due);
        assertThat(rows.due(START + 3)).isEmpty();
        assertThat(rows.all()).isEqualTo(positions(301, 1_300));
    }

    @Test
    void givesWhatIsOldBesideWhatIsTooMuch() {
        rows.add(positions(1, 500), START);
        rows.add(positions(501, 1_200), START + 5);

        assertThat(rows.due(START + AFTER + 1)).isEqualTo(positions(1, 500));
    }

    private static List<Long> positions(long first, long last) {
        return LongStream.rangeClosed(first, last).boxed().toList();
    }
}
