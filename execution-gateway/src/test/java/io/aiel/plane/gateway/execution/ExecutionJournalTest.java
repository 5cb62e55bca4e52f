package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.Usage;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.pgclient.PgException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** How entries of concurrent requests share transactions. */
class ExecutionJournalTest {
    /** A database whose transactions end when the test says so. */
    private static final class FakeDatabase {
        private final List<List<JournalEntry>> transactions = new ArrayList<>();
        private final List<UniEmitter<? super List<Boolean>>> open = new ArrayList<>();

        Uni<List<Boolean>> write(List<JournalEntry> entries) {
            return Uni.createFrom().emitter(emitter -> {
                transactions.add(entries);
                open.add(emitter);
            });
        }

        void commit(int transaction) {
            open.get(transaction)
                    .complete(transactions.get(transaction).stream()
                            .map(_ -> true)
                            .toList());
        }

        void fail(int transaction, Throwable failure) {
            open.get(transaction).fail(failure);
        }

        List<Integer> sizes() {
            return transactions.stream().map(List::size).toList();
        }
    }

    private final FakeDatabase database = new FakeDatabase();
    private final List<Runnable> timed = new ArrayList<>();
    private long now;

    @Test
    void flushesAtOnceWhenNothingIsInFlightAndTogetherWhatCameMeanwhile() {
        ExecutionJournal journal = journal(100, 100);
        UniAssertSubscriber<Boolean> first = write(journal);
        UniAssertSubscriber<Boolean> second = write(journal);
        UniAssertSubscriber<Boolean> third = write(journal);

        database.commit(0);
        database.commit(1);

        assertThat(database.sizes()).containsExactly(1, 2);
        List.of(first, second, third)
                .forEach(subscriber -> subscriber.assertCompleted().assertItem(true));
    }

    @Test
    void completesNothingBeforeItsTransactionIsCommitted() {
        ExecutionJournal journal = journal(100, 100);

        UniAssertSubscriber<Boolean> entry = write(journal);

        entry.assertNotTerminated();
    }

    @Test
    void neverPutsMoreThanTheBatchIntoOneTransaction() {
        ExecutionJournal journal = journal(2, 100);
        for (int i = 0; i < 6; i++) {
            write(journal);
        }

        for (int i = 0; i < 4; i++) {
            database.commit(i);
        }

        assertThat(database.sizes()).containsExactly(1, 2, 2, 1);
    }

    @Test
    void refusesMoreThanMayWait() {
        ExecutionJournal journal = journal(100, 2);
        write(journal);
        write(journal);
        write(journal);

        UniAssertSubscriber<Boolean> surplus = write(journal);

        surplus.assertFailedWith(ExecutionJournal.JournalFull.class, "more than 2 entries");
    }

    @Test
    void failsTheWholeBatchWhenTheConnectionBreaks() {
        ExecutionJournal journal = journal(100, 100);
        UniAssertSubscriber<Boolean> first = write(journal);
        UniAssertSubscriber<Boolean> second = write(journal);
        UniAssertSubscriber<Boolean> third = write(journal);

        database.commit(0);
        database.fail(1, new java.io.IOException("connection reset"));

        first.assertCompleted();
        second.assertFailedWith(java.io.IOException.class);
        third.assertFailedWith(java.io.IOException.class);
        assertThat(database.sizes()).containsExactly(1, 2);
    }

    @Test
    void oneEntryThatTheDatabaseRefusesDoesNotFailItsNeighbours() {
        ExecutionJournal journal = journal(100, 100);
        write(journal);
        UniAssertSubscriber<Boolean> bad = write(journal);
        UniAssertSubscriber<Boolean> good = write(journal);
        PgException refusal = new PgException("invalid byte sequence", "ERROR", "22021", "");

        database.commit(0);
        database.fail(1, refusal);
        database.fail(2, refusal);
        database.commit(3);

        bad.assertFailedWith(PgException.class);
        good.assertCompleted().assertItem(true);
        assertThat(database.sizes()).containsExactly(1, 2, 1, 1);
    }

    /** Seen to fail: without the pause between flushes, the second goes alone, and the third after it. */
    @Test
    void gathersWhatConcernsQueuedWorkAndFlushesItWithTheNextThatIsWaitedFor() {
        ExecutionJournal journal = journal(100, 100);
        write(journal, queued());
        database.commit(0);
        write(journal, queued());
        write(journal, queued());
        assertThat(database.sizes()).containsExactly(1);

        write(journal);

        assertThat(database.sizes()).containsExactly(1, 3);
    }

    @Test
    void flushesWhatConcernsQueuedWorkAfterItsPauseThoughNothingElseComes() {
        ExecutionJournal journal = journal(100, 100);
        write(journal, queued());
        database.commit(0);
        UniAssertSubscriber<Boolean> second = write(journal, queued());
        write(journal, queued());
        assertThat(timed).hasSize(1);

        now += ExecutionJournal.PATIENCE.toNanos();
        timed.getFirst().run();

        assertThat(database.sizes()).containsExactly(1, 2);
        database.commit(1);
        second.assertCompleted().assertItem(true);
        now += ExecutionJournal.PATIENCE.toNanos();
        write(journal, queued());
        assertThat(database.sizes()).as("long enough after the last").containsExactly(1, 2, 1);
    }

    @Test
    void beginsQueuedWorkAtOnceWhileLittleGoesOn() {
        ExecutionJournal journal = journal(100, 100);
        write(journal, queued());
        database.commit(0);

        write(journal, start(false));

        assertThat(database.sizes()).containsExactly(1, 1);
    }

    /** Seen to fail: where starts are urgent always, the first of them goes alone; where the pause is the short one, the second timer is. */
    @Test
    void lastsLongerBetweenFlushesWhileMuchGoesOnAndLetsStartsWaitForThem() {
        ExecutionJournal journal = journal(100, 100);
        flushMany(journal);
        write(journal, queued());
        write(journal, start(false));
        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY);

        now += ExecutionJournal.PATIENCE_OF_MANY.toNanos() - 1;
        timed.getLast().run();
        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY);
        now += 1;
        timed.getLast().run();

        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY, 2);
        database.commit(2);
        write(journal, start(false));
        assertThat(database.sizes()).as("the last was of two").containsExactly(1, ExecutionJournal.MANY, 2, 1);
    }

    /** Seen to fail: where each start waits, a project with one place begins one execution in each pause. */
    @Test
    void doesNotLetWaitWhatOthersWaitFor() {
        ExecutionJournal journal = journal(100, 100);
        flushMany(journal);
        write(journal, start(false));

        write(journal, start(true));

        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY, 2);
    }

    @Test
    void doesNotLetCallersWaitWhateverGoesOn() {
        ExecutionJournal journal = journal(100, 100);
        flushMany(journal);
        write(journal, start(false));

        write(journal);

        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY, 2);
    }

    /** Leaves nothing in flight. */
    private void flushMany(ExecutionJournal journal) {
        for (int i = 0; i <= ExecutionJournal.MANY; i++) {
            write(journal);
        }
        database.commit(0);
        database.commit(1);
        assertThat(database.sizes()).containsExactly(1, ExecutionJournal.MANY);
    }

    @Test
    void doesNotGatherMoreThanABatch() {
        ExecutionJournal journal = journal(2, 100);
        write(journal, queued());
        database.commit(0);

        write(journal, queued());
        write(journal, queued());

        assertThat(database.sizes()).containsExactly(1, 2);
    }

    private ExecutionJournal journal(int batchMax, int waitingMax) {
        return new ExecutionJournal(database::write, batchMax, waitingMax, 1, (_, task) -> timed.add(task), () -> now);
    }

    private static UniAssertSubscriber<Boolean> write(ExecutionJournal journal) {
        return write(journal, entry(Optional.empty()));
    }

    private static UniAssertSubscriber<Boolean> write(ExecutionJournal journal, JournalEntry entry) {
        return journal.write(entry).subscribe().withSubscriber(UniAssertSubscriber.create());
    }

    /** An entry that nobody waits for. */
    private static JournalEntry queued() {
        return entry(Optional.of(new QueueEnd(Optional.empty(), new JsonText("{}"), Instant.EPOCH)));
    }

    private static JournalEntry start(boolean holdsUpOthers) {
        ExecutionId id = ExecutionId.create();
        return new Start(
                id,
                new Decision.Allow(
                        DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of(), Obligations.NONE),
                Instant.EPOCH,
                holdsUpOthers,
                List.of(),
                StreamPosition.start("execution/" + id));
    }

    private static JournalEntry entry(Optional<QueueEnd> queueEnd) {
        ExecutionId id = ExecutionId.create();
        return new Closure(
                id,
                Optional.empty(),
                ExecutionStatus.SUCCEEDED,
                200,
                "",
                "",
                Optional.empty(),
                Usage.NONE,
                new JsonText("{}"),
                "",
                Instant.EPOCH,
                List.of(),
                Optional.empty(),
                queueEnd,
                List.of(),
                StreamPosition.start("execution/" + id));
    }
}
