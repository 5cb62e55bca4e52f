package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Optional;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * What recovery does with queued executions: those that ran on a server which is gone are closed as lost, or put back when their caller asked
 * for another attempt; what was claimed and not begun is free again; answers and inputs whose time is over are forgotten. Thread-safe.
 */
final class QueueRecovery {
    private static final Logger LOG = Logger.getLogger(QueueRecovery.class);
    private static final int FORGOTTEN_AT_ONCE = 2_000;

    private final Pool pool;
    private final ExecutionQueue queue;
    private final ExecutionJournal journal;
    private final QueuedEnds ends;
    private final Withdrawals withdrawals;
    private final Supplier<? extends Collection<ExecutionId>> inHand;
    private final Clock clock;
    private final Duration timeout;

    /** @param inHand what this server has claimed and is not done with */
    QueueRecovery(
            Pool pool,
            ExecutionQueue queue,
            ExecutionJournal journal,
            QueuedEnds ends,
            Withdrawals withdrawals,
            Supplier<? extends Collection<ExecutionId>> inHand,
            Clock clock,
            Duration timeout) {
        this.pool = pool;
        this.queue = queue;
        this.journal = journal;
        this.ends = ends;
        this.withdrawals = withdrawals;
        this.inHand = inHand;
        this.clock = clock;
        this.timeout = timeout;
    }

    /**
     * Takes care of one that runs nowhere; the item says whether it was closed, or put back, by this.
     *
     * @param surelyNotBegun whether it is known that it did not run
     */
    Uni<Boolean> recover(QueuedExecution queued, boolean surelyNotBegun) {
        Instant now = clock.instant();
        Optional<Attempt.Again> again = surelyNotBegun
                ? queued.attempt().afterNothing(now)
                : queued.attempt().afterLoss(now);
        JournalEntry entry =
                again.<JournalEntry>map(one -> ends.again(queued, one)).orElseGet(() -> ends.lost(queued));
        return journal.write(entry).invoke(effective -> {
            if (effective) {
                LOG.infof(
                        "%s %s: its server ended before it did",
                        entry instanceof Requeue ? "put back" : "closed as lost", queued.id());
            }
        });
    }

    /** Withdraws what nobody was told of, frees what nobody begins, and forgets what is over. */
    Uni<Void> tidy(String node, Duration silence) {
        return withdrawals.settle().chain(() -> free(node, silence));
    }

    private Uni<Void> free(String node, Duration silence) {
        return queue.free(node, silence, inHand.get())
                .invoke(freed -> {
                    if (freed > 0) {
                        LOG.infof(
                                "%d queued executions were claimed by a server that is gone, and are free again",
                                freed);
                    }
                })
                .chain(() -> forget("execution_results"))
                .chain(() -> forget("execution_inputs"));
    }

    private Uni<Void> forget(String table) {
        return pool.preparedQuery("delete from " + table + " where execution in (select execution from " + table
                        + " where expires_at <= clock_timestamp() order by expires_at limit $1)")
                .execute(Tuple.of(FORGOTTEN_AT_ONCE))
                .ifNoItem()
                .after(timeout)
                .fail()
                .replaceWithVoid();
    }
}
