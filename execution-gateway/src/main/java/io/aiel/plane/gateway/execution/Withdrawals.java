package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.pgclient.PgException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * Takes back admissions to the queue of which it was not heard whether they were committed. Without a key their caller may send the request
 * again, and both would run. The statement that was under way may still take effect, however late, so that looking for its row says nothing:
 * a row of the same execution is written that has ended already. Whichever of the two is there first keeps the other out.
 *
 * <p>What could not be taken back at once is remembered, not begun by this server, and tried again with each heartbeat. Thread-safe.
 */
final class Withdrawals {
    private static final Logger LOG = Logger.getLogger(Withdrawals.class);

    /** They are few: a request each that was sent while PostgreSQL did not answer. */
    static final int REMEMBERED_MAX = 1_000;

    /** A statement that has not taken effect by then will not. */
    private static final Duration REMEMBERED_FOR = Duration.ofHours(1);

    private static final int AT_ONCE = 4;
    private static final String UNIQUE_VIOLATION = "23505";

    /** It starts or stops, or has as many connections as it may. */
    private static final Set<String> NOT_LET_IN = Set.of("57P03", "53300");

    private final Function<List<JournalEntry>, Uni<List<Boolean>>> write;
    private final Function<Collection<ExecutionId>, Uni<List<QueuedExecution>>> waiting;
    private final QueuedEnds ends;
    private final LongSupplier nanos;
    /** One that has to wait for the statement that was not heard holds a connection until it need not. */
    private final Semaphore places = new Semaphore(AT_ONCE);

    private final Map<ExecutionId, Unheard> remembered = new LinkedHashMap<>();

    private record Unheard(Admission withdrawn, long sinceNanos) {}

    /**
     * @param write writes entries by a statement of their own: one that has to wait must not hold up others
     * @param waiting those of these that wait in the queue
     * @param nanos the time, as of {@link System#nanoTime}
     */
    Withdrawals(
            Function<List<JournalEntry>, Uni<List<Boolean>>> write,
            Function<Collection<ExecutionId>, Uni<List<QueuedExecution>>> waiting,
            QueuedEnds ends,
            LongSupplier nanos) {
        this.write = write;
        this.waiting = waiting;
        this.ends = ends;
        this.nanos = nanos;
    }

    /** What is known of an admission that was not heard. */
    enum Known {
        /** It is not in the queue and never will be. */
        WITHDRAWN,
        /** It is in the queue, or was. */
        QUEUED,
        /** Nothing, yet. */
        NOTHING
    }

    /** Whether this failure says that the admission did not and will not take effect. */
    static boolean surelyNotAdmitted(Throwable failure) {
        return switch (failure) {
            case ExecutionJournal.JournalFull _ -> true;
            case ConnectException _ -> true;
            case PgException refused -> isRolledBack(refused);
            default -> false;
        };
    }

    /**
     * An error ends its transaction, and who is not let in begins none. What else ends a connection, said by PostgreSQL or by a pooler between, can
     * be said of a transaction that has ended well.
     */
    private static boolean isRolledBack(PgException refused) {
        String state = refused.getSqlState();
        if (state == null || state.startsWith("08")) {
            return false;
        }
        return "ERROR".equals(refused.getSeverity()) || NOT_LET_IN.contains(state) || state.startsWith("28");
    }

    /**
     * Takes it back, or remembers to, at once where many are being taken back. Never fails.
     *
     * @param withdrawn the same admission, ended ({@link Admission#withdrawn})
     */
    Uni<Known> withdraw(Admission withdrawn) {
        return Uni.createFrom().deferred(() -> {
            if (!places.tryAcquire()) {
                remember(withdrawn, "many are being withdrawn");
                return Uni.createFrom().item(Known.NOTHING);
            }
            AtomicBoolean givenBack = new AtomicBoolean();
            return keepOut(withdrawn)
                    .onFailure()
                    .recoverWithItem(failure -> {
                        remember(withdrawn, failure.toString());
                        return Known.NOTHING;
                    })
                    .onTermination()
                    .invoke(() -> {
                        if (givenBack.compareAndSet(false, true)) {
                            places.release();
                        }
                    });
        });
    }

    /** Whether it is still to be taken back: then it is not to be begun. */
    boolean isDue(ExecutionId id) {
        synchronized (remembered) {
            return remembered.containsKey(id);
        }
    }

    /** Tries again what could not be taken back; never fails. To be called at intervals. */
    Uni<Void> settle() {
        List<Unheard> due;
        synchronized (remembered) {
            due = List.copyOf(remembered.values());
        }
        return Multi.createFrom()
                .iterable(due)
                .onItem()
                .transformToUni(this::settle)
                .merge(AT_ONCE)
                .onFailure()
                .recoverWithCompletion()
                .collect()
                .asList()
                .replaceWithVoid();
    }

    private Uni<Known> settle(Unheard unheard) {
        Admission withdrawn = unheard.withdrawn();
        return keepOut(withdrawn)
                .call(known -> known == Known.QUEUED
                        ? end(withdrawn.id())
                        : Uni.createFrom().voidItem())
                .invoke(() -> forget(withdrawn.id()))
                .onFailure()
                .invoke(() -> {
                    if (nanos.getAsLong() - unheard.sinceNanos() > REMEMBERED_FOR.toNanos()) {
                        LOG.warnf(
                                "it could not be found out whether %s was queued; nobody was told that it is",
                                withdrawn.id());
                        forget(withdrawn.id());
                    }
                })
                // One that is turned down must not keep the others waiting.
                .onFailure(PgException.class)
                .recoverWithItem(Known.NOTHING);
    }

    private Uni<Known> keepOut(Admission withdrawn) {
        return write.apply(List.of(withdrawn))
                .map(_ -> Known.WITHDRAWN)
                .onFailure(Withdrawals::isThere)
                .recoverWithItem(Known.QUEUED);
    }

    /** Only the execution's own row and records are unique in what is written. */
    private static boolean isThere(Throwable failure) {
        return failure instanceof PgException refused && UNIQUE_VIOLATION.equals(refused.getSqlState());
    }

    /** It is in the queue after all: ends it, unless it has begun, or was ended by an earlier try that was not heard either. */
    private Uni<Void> end(ExecutionId id) {
        return waiting.apply(List.of(id))
                .chain(found -> found.isEmpty() || found.getFirst().hasBegun()
                        ? Uni.createFrom().item(List.of(false))
                        : write.apply(List.of(ends.withdrawn(found.getFirst()))))
                .invoke(effects -> {
                    if (effects.getFirst()) {
                        LOG.infof("%s was queued after all, which nobody was told; it has ended and did not run", id);
                    } else {
                        LOG.warnf("%s had ended or begun before it could be withdrawn; its record says which", id);
                    }
                })
                .replaceWithVoid();
    }

    private void remember(Admission withdrawn, String why) {
        boolean full;
        synchronized (remembered) {
            full = remembered.size() >= REMEMBERED_MAX;
            if (!full) {
                remembered.put(withdrawn.id(), new Unheard(withdrawn, nanos.getAsLong()));
            }
        }
        LOG.warnf(
                "whether %s was queued is not known (%s)%s",
                withdrawn.id(), why, full ? "; too many are to be withdrawn already" : "; it will be withdrawn");
    }

    private void forget(ExecutionId id) {
        synchronized (remembered) {
            remembered.remove(id);
        }
    }
}
