package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** How much a server takes out of the queue, and when. */
class QueueDispatcherTest {
    private static final int IN_HAND = 2;

    private final List<Begun> begun = new ArrayList<>();
    private final List<Integer> heldAtClaims = new ArrayList<>();
    private int waiting = 100;
    /** What a claim gives besides, as after a crash that lost the first claim of it. */
    private final List<QueuedExecution> givenAgain = new ArrayList<>();
    /** Between two looks at the clock: a claim is long enough ago when the next thing happens, where a test says nothing else. */
    private long step = 2 * QueueDispatcher.PACE.toNanos();

    private long now;
    private final List<Runnable> timed = new ArrayList<>();
    private final List<ExecutionId> givenBack = new ArrayList<>();
    private final QueueDispatcher dispatcher = new QueueDispatcher(
            new Endless(),
            this::begin,
            new LiveExecutions(),
            Runnable::run,
            (_, task) -> timed.add(task),
            () -> now += step,
            IN_HAND,
            IN_HAND);

    private record Begun(QueuedExecution one, Runnable codeEnded, CompletableFuture<QueuedRuns.Begun> over) {
        void end() {
            over.complete(QueuedRuns.Begun.OVER);
        }
    }

    /** Gives as many as are asked for, as long as any wait. */
    private final class Endless implements QueueDispatcher.Claims {
        @Override
        public Uni<List<QueuedExecution>> claim(int most, Map<ProjectId, Integer> held, int projectMax) {
            heldAtClaims.add(held.values().stream().mapToInt(Integer::intValue).sum());
            List<QueuedExecution> given = new ArrayList<>(givenAgain);
            while (given.size() < most && waiting > 0) {
                waiting--;
                given.add(QueuedRunsTest.queued());
            }
            return Uni.createFrom().item(given);
        }

        @Override
        public Uni<Void> giveBack(ExecutionId id, Duration after) {
            givenBack.add(id);
            waiting++;
            return Uni.createFrom().voidItem();
        }
    }

    private Uni<QueuedRuns.Begun> begin(QueuedExecution one, Runnable codeEnded) {
        CompletableFuture<QueuedRuns.Begun> over = new CompletableFuture<>();
        begun.add(new Begun(one, codeEnded, over));
        return Uni.createFrom().completionStage(over);
    }

    @Test
    void beginsAsManyAsMayHaveWorkersAndNoMore() {
        dispatcher.look();
        dispatcher.look();

        assertThat(begun).hasSize(IN_HAND);
        assertThat(dispatcher.inHand()).hasSize(IN_HAND);
    }

    /** Seen to fail: when the end has to be on record first, nothing is begun until then. */
    @Test
    void beginsTheNextWhenACodeHasEndedThoughItsEndIsNotOnRecordYet() {
        dispatcher.look();

        now += 2 * QueueDispatcher.AHEAD.toNanos();
        begun.getFirst().codeEnded().run();

        assertThat(begun).hasSize(IN_HAND + 1);
        assertThat(heldAtClaims.getLast())
                .as("held by the project, what is at its end not counted")
                .isEqualTo(1);
        assertThat(dispatcher.inHand())
                .as("claims that recovery must leave alone")
                .hasSize(IN_HAND + 1);
        begun.getFirst().codeEnded().run();
        begun.getFirst().end();
        assertThat(begun).as("one place is not given twice").hasSize(IN_HAND + 1);
        begun.get(1).end();
        assertThat(begun).hasSize(IN_HAND + 2);
        assertThat(dispatcher.inHand()).hasSize(IN_HAND);
    }

    /** Seen to fail: without the bound on the whole, the queue is emptied into memory. */
    @Test
    void waitsForEndsThatAreSlowToBeRecorded() {
        dispatcher.look();
        for (int i = 0; i < begun.size(); i++) {
            begun.get(i).codeEnded().run();
        }

        assertThat(begun).hasSize(3 * IN_HAND);
        begun.getFirst().end();
        assertThat(begun).hasSize(3 * IN_HAND + 1);
        assertThat(dispatcher.inHand()).hasSize(3 * IN_HAND);
    }

    /** Seen to fail: without the pace there is a claim for each. */
    @Test
    void claimsOnceForAllThatHappensWithinAMoment() {
        step = 0;
        dispatcher.look();

        begun.getFirst().end();
        begun.get(1).end();

        assertThat(begun).as("not yet").hasSize(IN_HAND);
        assertThat(timed).hasSize(1);
        now += QueueDispatcher.PACE.toNanos();
        timed.getFirst().run();
        assertThat(heldAtClaims).hasSize(2);
        assertThat(begun).hasSize(2 * IN_HAND);
    }

    /** Seen to fail: where only as many are claimed as have a place, each place waits for the next claim. */
    @Test
    void beginsWithoutAnotherClaimWhatItClaimedBecauseShortCodeEnded() {
        claimOneAhead();

        begun.get(1).codeEnded().run();

        assertThat(begun).hasSize(IN_HAND + 2);
        assertThat(heldAtClaims).hasSize(2);
    }

    /** Seen to fail: without the sweep, no other server can begin it as long as the code here runs. */
    @Test
    void givesBackWhatItClaimedAheadWhenNoPlaceBecomesFree() {
        claimOneAhead();
        List<ExecutionId> ahead = dispatcher.inHand().stream()
                .filter(id -> begun.stream().noneMatch(one -> one.one().id().equals(id)))
                .toList();
        assertThat(ahead).hasSize(1);

        now += QueueDispatcher.AHEAD.toNanos();
        timed.getLast().run();

        assertThat(givenBack).isEqualTo(ahead);
        assertThat(dispatcher.inHand()).doesNotContainAnyElementsOf(ahead);
        begun.get(1).codeEnded().run();
        assertThat(begun).extracting(one -> one.one().id()).doesNotContainAnyElementsOf(ahead);
    }

    @Test
    void claimsNothingAheadOfCodeThatTakesLong() {
        step = 0;
        dispatcher.look();
        now += 2 * QueueDispatcher.AHEAD.toNanos();

        begun.getFirst().codeEnded().run();

        assertThat(dispatcher.inHand())
                .as("one is at its end, the others have begun")
                .hasSize(IN_HAND + 1);
        assertThat(begun).hasSize(IN_HAND + 1);
    }

    /** Two have places, one has ended, and one waits for a place. */
    private void claimOneAhead() {
        step = 0;
        dispatcher.look();
        begun.getFirst().codeEnded().run();
        now += QueueDispatcher.PACE.toNanos();
        timed.getFirst().run();
        assertThat(begun).hasSize(IN_HAND + 1);
        assertThat(dispatcher.inHand()).hasSize(IN_HAND + 2);
    }

    /** Its next attempt, or one whose claim was lost. Seen to fail: where it is forgotten, and nobody has it for a minute. */
    @Test
    void givesBackWhatItClaimedWhileItHadIt() {
        dispatcher.look();
        Begun first = begun.getFirst();
        givenAgain.add(first.one());
        begun.get(1).end();
        givenAgain.clear();
        assertThat(givenBack).isEmpty();

        first.end();

        assertThat(givenBack).containsExactly(first.one().id());
        begun.getLast().end();
        assertThat(givenBack).as("once").hasSize(1);
    }

    /** Seen to fail: without the look at what is in hand, it is begun beside itself. */
    @Test
    void beginsNothingThatItHasInHand() {
        dispatcher.look();
        givenAgain.add(begun.getFirst().one());

        begun.get(1).end();

        assertThat(begun).extracting(Begun::one).doesNotHaveDuplicates();
        assertThat(dispatcher.inHand()).containsExactly(begun.getFirst().one().id());
    }

    @Test
    void givesBackWhatFindsNoPlaceAndLetsItsProjectPause() {
        dispatcher.look();

        begun.getFirst().over().complete(QueuedRuns.Begun.NOT_NOW);
        dispatcher.look();

        assertThat(heldAtClaims.getLast())
                .as("counts as holding all that it may")
                .isEqualTo(IN_HAND);
        assertThat(dispatcher.inHand()).doesNotContain(begun.getFirst().one().id());
    }
}
