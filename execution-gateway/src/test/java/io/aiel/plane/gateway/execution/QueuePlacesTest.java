package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ProjectId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Who of the queue may have a worker, and how long others wait for that. */
class QueuePlacesTest {
    private static final ProjectId ONE = ProjectId.create();
    private static final ProjectId OTHER = ProjectId.create();

    private final List<Runnable> timed = new ArrayList<>();
    private long now;
    private final QueuePlaces places = new QueuePlaces(3, 2, 2, () -> {}, (_, task) -> timed.add(task), () -> now);

    private static CompletableFuture<Boolean> comes(QueuePlaces.Turn turn) {
        return turn.come().subscribeAsCompletionStage().toCompletableFuture();
    }

    @Test
    void givesEachProjectItsPlacesAndCallsTheNextInLineWhenOneIsLeft() {
        QueuePlaces.Turn first = places.enter(ONE);
        places.enter(ONE);
        CompletableFuture<Boolean> third = comes(places.enter(ONE));
        CompletableFuture<Boolean> fourth = comes(places.enter(ONE));
        CompletableFuture<Boolean> others = comes(places.enter(OTHER));
        assertThat(others).isCompletedWithValue(true);
        assertThat(third).isNotDone();

        first.codeEnded();
        first.leave();

        assertThat(third).isCompletedWithValue(true);
        assertThat(fourth).as("one place was left, though it was left twice").isNotDone();
    }

    @Test
    void holdsNoPlaceForWhatLeavesTheLine() {
        places.enter(ONE);
        QueuePlaces.Turn second = places.enter(ONE);
        QueuePlaces.Turn third = places.enter(ONE);
        CompletableFuture<Boolean> fourth = comes(places.enter(ONE));

        third.leave();
        assertThat(fourth).isNotDone();
        second.leave();

        assertThat(fourth).isCompletedWithValue(true);
        assertThat(places.room()).isEqualTo(1);
    }

    /** Seen to fail: without the sweep it is in line as long as the code before it runs, and no other server can have it. */
    @Test
    void sendsAwayWhoWaitedTooLong() {
        QueuePlaces.Turn first = places.enter(ONE);
        places.enter(ONE);
        QueuePlaces.Turn late = places.enter(ONE);
        CompletableFuture<Boolean> coming = comes(late);
        QueuePlaces.Turn notAskedYet = places.enter(ONE);
        assertThat(timed).hasSize(1);

        now += QueuePlaces.TURN_MAX.toNanos();
        timed.getFirst().run();

        assertThat(coming).isCompletedWithValue(false);
        assertThat(comes(notAskedYet)).isCompletedWithValue(false);
        late.codeEnded();
        late.leave();
        assertThat(places.room()).as("it holds nothing").isEqualTo(1);
        first.leave();
        assertThat(places.room()).isEqualTo(2);
    }

    /** Seen to fail: where the line is taken off the free places, one project whose code has become slow holds up all others. */
    @Test
    void leavesFreePlacesToOthersWhateverOneProjectHasInLine() {
        for (int i = 0; i < 5; i++) {
            places.enter(ONE);
        }

        assertThat(places.room()).isEqualTo(1);
        assertThat(places.claiming()).isEqualTo(Map.of(ONE, 5));
        assertThat(comes(places.enter(OTHER))).isCompletedWithValue(true);
    }

    /** Meant to fail: where a place that is held for long is not looked at, all workers of a project's snapshot can come to run code that takes long. */
    @Test
    void givesAProjectMorePlacesWhileItsCodeIsShort() {
        QueuePlaces places = new QueuePlaces(9, 2, 4, () -> {}, (_, task) -> timed.add(task), () -> now);
        QueuePlaces.Turn first = places.enter(ONE);
        QueuePlaces.Turn second = places.enter(ONE);
        List<CompletableFuture<Boolean>> waiting = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            waiting.add(comes(places.enter(ONE)));
        }
        assertThat(waiting).as("nothing is known of the code").noneMatch(CompletableFuture::isDone);

        now += QueuePlaces.SHORT.toNanos();
        first.codeEnded();
        assertThat(waiting.stream().filter(CompletableFuture::isDone)).hasSize(3);
        assertThat(places.claiming()).as("with two places more").containsEntry(ONE, 8 - 1 - 2 - 3);

        now += 1;
        QueuePlaces.Turn third = places.enter(OTHER);
        third.leave();
        assertThat(waiting.stream().filter(CompletableFuture::isDone)).hasSize(3);
        assertThat(places.claiming()).as("the second is held for longer").containsEntry(ONE, 7);

        second.leave();
        assertThat(waiting.stream().filter(CompletableFuture::isDone)).hasSize(4);
    }

    /** Seen to fail: where only the project's own places are looked at, the last place of the server is held as if there were more. */
    @Test
    void knowsWhoHoldsUpOthers() {
        QueuePlaces.Turn first = places.enter(ONE);
        assertThat(first.holdsUpOthers()).as("one place of the project is free").isFalse();
        QueuePlaces.Turn second = places.enter(ONE);
        assertThat(second.holdsUpOthers()).as("none of the project is").isTrue();
        assertThat(places.enter(ONE).holdsUpOthers()).as("it is in line").isFalse();
        second.leave();
        first.leave();

        QueuePlaces.Turn third = places.enter(OTHER);
        assertThat(third.holdsUpOthers()).as("one place in all is free").isFalse();
        QueuePlaces.Turn fourth = places.enter(ProjectId.create());
        assertThat(fourth.holdsUpOthers()).as("none in all is").isTrue();
        fourth.leave();
        assertThat(fourth.holdsUpOthers()).as("it has left").isFalse();
    }

    @Test
    void givesNoMorePlacesAfterCodeThatTookLong() {
        QueuePlaces places = new QueuePlaces(9, 2, 4, () -> {}, (_, task) -> timed.add(task), () -> now);
        QueuePlaces.Turn first = places.enter(ONE);
        now += QueuePlaces.SHORT.toNanos() + 1;
        places.enter(ONE);
        CompletableFuture<Boolean> third = comes(places.enter(ONE));
        CompletableFuture<Boolean> fourth = comes(places.enter(ONE));

        first.codeEnded();

        assertThat(third).isCompletedWithValue(true);
        assertThat(fourth).isNotDone();
    }

    @Test
    void lengthensTheLineByWhatShortCodeLeavesAndCountsEachEndForOneClaim() {
        QueuePlaces.Turn quick = places.enter(ONE);
        QueuePlaces.Turn slow = places.enter(ONE);
        quick.codeEnded();
        now += 2 * QueuePlaces.SHORT.toNanos();
        slow.codeEnded();

        assertThat(places.room()).isEqualTo(3 + 3);
        assertThat(places.claiming()).isEqualTo(Map.of(ONE, -3));

        assertThat(places.room()).isEqualTo(3);
        assertThat(places.claiming()).isEmpty();
    }
}
