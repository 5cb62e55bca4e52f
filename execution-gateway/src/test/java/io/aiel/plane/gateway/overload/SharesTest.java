package io.aiel.plane.gateway.overload;

import static io.aiel.plane.gateway.overload.Shares.Answer.HAS_ITS_SHARE;
import static io.aiel.plane.gateway.overload.Shares.Answer.NOT_FREE;
import static io.aiel.plane.gateway.overload.Shares.Answer.TAKEN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How much of what there is one holder gets, and what others find. */
class SharesTest {
    private static int takeAll(Shares<String> shares, String holder) {
        int taken = 0;
        while (shares.take(holder, 1) == TAKEN) {
            taken++;
        }
        return taken;
    }

    /** Seen to fail: with the amount that is free alone asked for, one had everything. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 1", "3, 2", "10, 5", "64, 32", "256, 128", "1000, 500"})
    void givesALoneHolderHalfRoundedUp(long total, int share) {
        Shares<String> shares = new Shares<>(total);

        assertThat(takeAll(shares, "loud")).isEqualTo(share);
        assertThat(shares.take("loud", 1)).isEqualTo(HAS_ITS_SHARE);
        assertThat(shares.held()).isEqualTo(share);
    }

    @Test
    void leavesAsMuchFreeAsEachOfSeveralHas() {
        Shares<String> shares = new Shares<>(64);
        for (int i = 0; i < 32; i++) {
            for (String loud : List.of("a", "b", "c")) {
                shares.take(loud, 1);
            }
        }

        assertThat(shares.held()).isEqualTo(48);
        assertThat(takeAll(shares, "polite")).isEqualTo(8);
    }

    @Test
    void findsSomethingForWhoHasNothingUntilNothingIsLeft() {
        Shares<String> shares = new Shares<>(8);
        List<String> holders = new ArrayList<>();
        for (int i = 0; shares.take("holder " + i, 1) == TAKEN; i++) {
            holders.add("holder " + i);
        }

        assertThat(holders).hasSize(8);
        assertThat(shares.take("late", 1)).isEqualTo(NOT_FREE);
        assertThat(shares.take("holder 0", 1)).isEqualTo(HAS_ITS_SHARE);
    }

    @Test
    void letsAHolderHaveMoreAgainWhenOthersHaveLess() {
        Shares<String> shares = new Shares<>(10);
        assertThat(takeAll(shares, "a")).isEqualTo(5);
        assertThat(takeAll(shares, "b")).isEqualTo(3);
        shares.giveBack("a", 4);

        assertThat(takeAll(shares, "b")).isEqualTo(2);
    }

    @Test
    void countsAmountsAndNotOnlyPlaces() {
        Shares<String> shares = new Shares<>(32);

        assertThat(shares.take("loud", 10)).isEqualTo(TAKEN);
        assertThat(shares.take("loud", 10)).isEqualTo(TAKEN);
        assertThat(shares.take("loud", 10)).isEqualTo(HAS_ITS_SHARE);
        assertThat(shares.take("polite", 10)).isEqualTo(TAKEN);
        assertThat(shares.take("late", 10)).isEqualTo(NOT_FREE);
        assertThat(shares.take("late", 2)).isEqualTo(TAKEN);
        assertThat(shares.take("late", 0)).isEqualTo(HAS_ITS_SHARE);
    }

    @Test
    void givesAllOfItToOneWhereThereIsNobodyElse() {
        assertThat(new Shares<>(32L).take("large", 32)).isEqualTo(TAKEN);
        assertThat(new Shares<>(0L).take("nothing", 0)).isEqualTo(TAKEN);
    }

    /** Seen to fail: with an entry kept at zero, all that ever held something were remembered. */
    @Test
    void forgetsWhoHoldsNothing() {
        Shares<String> shares = new Shares<>(8);
        for (int i = 0; i < 1_000; i++) {
            assertThat(shares.take("holder " + i, 2)).isEqualTo(TAKEN);
            shares.giveBack("holder " + i, 1);
            shares.giveBack("holder " + i, 1);
        }
        assertThat(shares.take("nothing", 0)).isEqualTo(TAKEN);

        assertThat(shares.holders()).isZero();
        assertThat(shares.held()).isZero();
    }

    @Test
    void takesNothingBackThatWasNotGiven() {
        Shares<String> shares = new Shares<>(8);
        shares.take("a", 1);

        assertThatThrownBy(() -> shares.giveBack("b", 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> shares.giveBack("a", 2)).isInstanceOf(IllegalStateException.class);
        assertThat(shares.held()).isEqualTo(1);
    }

    @Test
    void countsExactlyWhenManyTakeAndGiveBackAtOnce() throws Exception {
        Shares<String> shares = new Shares<>(16);
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Callable<Long>> work = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                int seed = i;
                work.add(() -> {
                    Random random = new Random(seed);
                    long most = 0;
                    for (int round = 0; round < 20_000; round++) {
                        String holder = "holder " + random.nextInt(4);
                        if (shares.take(holder, 1) == TAKEN) {
                            most = Math.max(most, shares.held());
                            shares.giveBack(holder, 1);
                        }
                    }
                    return most;
                });
            }
            for (Future<Long> done : threads.invokeAll(work)) {
                assertThat(done.get()).isBetween(1L, 16L);
            }
        }

        assertThat(shares.held()).isZero();
        assertThat(shares.holders()).isZero();
    }
}
