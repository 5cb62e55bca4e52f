package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A limit that is kept without counting for each. */
class QueueTallyTest {
    private static final int MOST = 3;

    /** What there is; an addition that is under way is not in it. */
    private int rows;

    private int counts;
    private long now;
    private boolean broken;
    private final QueueTally tally = new QueueTally(this::count, MOST, () -> now);

    private @Nullable CompletableFuture<Integer> slow;

    private Uni<Integer> count() {
        counts++;
        CompletableFuture<Integer> until = slow;
        if (until != null) {
            return Uni.createFrom().completionStage(until);
        }
        return broken
                ? Uni.createFrom().failure(new IllegalStateException("the database is away"))
                : Uni.createFrom().item(rows);
    }

    private Uni<Boolean> add(Uni<Void> until) {
        return tally.within(
                () -> until.invoke(() -> rows++).replaceWith(true),
                () -> Uni.createFrom().item(false));
    }

    private boolean add() {
        return add(Uni.createFrom().voidItem()).await().indefinitely();
    }

    private void pass(Duration time) {
        now += time.toNanos() + 1;
    }

    /** Seen to fail: when what was added since the count is not added to it, the fourth is taken, too. */
    @Test
    void takesAsManyAsMayBeByOneCount() {
        assertThat(add()).isTrue();
        assertThat(add()).isTrue();
        assertThat(add()).isTrue();
        assertThat(add()).isFalse();

        assertThat(counts).isEqualTo(1);
    }

    @Test
    void refusesByANewCountOnly() {
        rows = MOST;
        assertThat(add()).isFalse();
        rows = MOST - 1;

        assertThat(add()).as("by a count of just now").isFalse();
        pass(QueueTally.REFUSES);
        assertThat(add()).isTrue();
        assertThat(add()).isFalse();
    }

    @Test
    void doesNotCountTheRefusedAsAdded() {
        rows = MOST - 1;
        assertThat(add()).isTrue();
        pass(QueueTally.REFUSES);
        for (int i = 0; i < 10; i++) {
            assertThat(add()).isFalse();
        }
        rows = MOST - 1;
        pass(QueueTally.REFUSES);

        assertThat(add()).isTrue();
    }

    /** Seen to fail: when a count begins with nothing added, those under way are in no sum. */
    @Test
    void countsWhatIsUnderWayWhenACountBegins() {
        CompletableFuture<Void> slow = new CompletableFuture<>();
        List<Boolean> added = new ArrayList<>();
        for (int i = 0; i < MOST; i++) {
            add(Uni.createFrom().completionStage(slow)).subscribe().with(added::add);
        }
        pass(QueueTally.BELIEVED);

        assertThat(add())
                .as("all three places are taken, and none of them on record")
                .isFalse();
        assertThat(counts).isEqualTo(2);
        slow.complete(null);
        assertThat(added).containsExactly(true, true, true);
    }

    /** Seen to fail: when a new count begins with all that wait for the one before. */
    @Test
    void refusesNobodyForWhatOthersWereRefused() {
        rows = MOST;
        CompletableFuture<Integer> first = new CompletableFuture<>();
        slow = first;
        List<Boolean> added = new ArrayList<>();
        for (int i = 0; i < MOST; i++) {
            add(Uni.createFrom().voidItem()).subscribe().with(added::add);
        }
        slow = null;
        rows = 0;
        pass(QueueTally.REFUSES);
        first.complete(MOST);

        assertThat(added).containsExactly(true, true, true);
        assertThat(add()).isFalse();
    }

    /** Seen to fail: when a count begins beside another, both let in as many as there is room for. */
    @Test
    void letsNobodyInByTwoCounts() {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        slow = first;
        List<Boolean> added = new ArrayList<>();
        for (int i = 0; i < MOST; i++) {
            add(Uni.createFrom().voidItem()).subscribe().with(added::add);
        }
        slow = null;
        pass(QueueTally.BELIEVED);
        add(Uni.createFrom().voidItem()).subscribe().with(added::add);
        first.complete(0);

        assertThat(added).hasSize(MOST + 1).containsOnlyOnce(false);
        assertThat(rows).isEqualTo(MOST);
    }

    /** Seen to fail: when all that wait for a count fail with it. */
    @Test
    void failsForItsOwnCountOnly() {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        slow = first;
        List<String> ends = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            add(Uni.createFrom().voidItem())
                    .subscribe()
                    .with(room -> ends.add(room.toString()), failure -> ends.add(failure.getMessage()));
        }
        slow = null;
        first.completeExceptionally(new IllegalStateException("the connection hung"));

        assertThat(ends).containsExactlyInAnyOrder("the connection hung", "true");
    }

    @Test
    void seesWhatOthersAddedAfterAWhile() {
        assertThat(add()).isTrue();
        rows = MOST;
        pass(QueueTally.BELIEVED);

        assertThat(add()).isFalse();
        assertThat(counts).isEqualTo(2);
    }

    @Test
    void countsAgainAfterACountThatFailed() {
        broken = true;
        assertThatThrownBy(this::add).hasMessage("the database is away");
        broken = false;

        assertThat(add()).isTrue();
        pass(QueueTally.BELIEVED);
        assertThat(tally.isIdle()).isTrue();
    }
}
