package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Uni;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import org.jboss.logging.Logger;

/**
 * The audit stream of one running execution between its admission and its end. What happens meanwhile, on whatever thread, is
 * recorded in one order: at most one write of a stream is under way, and what comes during it goes with the next. The end of the
 * execution takes over what is still to be written, so that it and the terminal record share a transaction.
 *
 * <p>After a write that failed it is not known where the stream stands in the database. Then nothing more is recorded here, so
 * nothing more that needs a record happens, and {@link #end} says that the position has to be looked up.
 *
 * <p>Thread-safe; nothing blocks.
 */
final class ExecutionTrail {
    private static final Logger LOG = Logger.getLogger(ExecutionTrail.class);

    /** More than one execution's connections can have under way at once. */
    private static final int WAITING_MAX = 1_024;

    private static final int BATCH_MAX = 64;

    private final ExecutionId id;
    private final AuditChain chain;
    private final ExecutionJournal journal;
    private final CompletableFuture<Ending> ending = new CompletableFuture<>();

    private final ReentrantLock lock = new ReentrantLock();
    // Guarded by lock.
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private boolean writing;
    private boolean ended;
    private boolean broken;

    /** @param chain stands after the admission; this object owns it from now on */
    ExecutionTrail(ExecutionId id, AuditChain chain, ExecutionJournal journal) {
        this.id = id;
        this.chain = chain;
        this.journal = journal;
    }

    /**
     * What the end of the execution goes on with.
     *
     * @param chain the stream as it is in the database; empty when that is not known
     * @param events not written yet, to be written before the terminal record
     */
    record Ending(Optional<AuditChain> chain, List<AuditEvent.OfExecution> events) {}

    private record Waiting(AuditEvent.OfExecution event, CompletableFuture<Boolean> durable) {}

    /** Records the event; true once it is durable, false when it will not be written before the end, or never. */
    CompletionStage<Boolean> record(AuditEvent.OfExecution event) {
        CompletableFuture<Boolean> durable = new CompletableFuture<>();
        lock.lock();
        try {
            if (ended || broken || waiting.size() >= WAITING_MAX) {
                return CompletableFuture.completedFuture(false);
            }
            waiting.add(new Waiting(event, durable));
        } finally {
            lock.unlock();
        }
        writeNext();
        return durable;
    }

    /** Takes no more events; the item comes when no write is under way. To be called once. */
    Uni<Ending> end() {
        lock.lock();
        try {
            ended = true;
        } finally {
            lock.unlock();
        }
        endIfIdle();
        return Uni.createFrom().completionStage(ending);
    }

    private void writeNext() {
        List<Waiting> batch = new ArrayList<>();
        Progress entry;
        lock.lock();
        try {
            if (writing || ended || broken || waiting.isEmpty()) {
                return;
            }
            writing = true;
            List<AuditRecord> records = new ArrayList<>();
            while (!waiting.isEmpty() && batch.size() < BATCH_MAX) {
                Waiting next = waiting.remove();
                batch.add(next);
                records.add(chain.append(next.event()));
            }
            entry = new Progress(id, records, chain.position());
        } finally {
            lock.unlock();
        }
        journal.write(entry).subscribe().with(effective -> written(batch, effective), failure -> {
            LOG.warnf("what happened during %s could not be recorded (%s); nothing more of it is let out", id, failure);
            written(batch, false);
        });
    }

    private void written(List<Waiting> batch, boolean effective) {
        List<Waiting> lost = new ArrayList<>();
        lock.lock();
        try {
            writing = false;
            if (!effective) {
                broken = true;
                lost.addAll(waiting);
                waiting.clear();
            }
        } finally {
            lock.unlock();
        }
        batch.forEach(one -> one.durable().complete(effective));
        lost.forEach(one -> one.durable().complete(false));
        endIfIdle();
        writeNext();
    }

    private void endIfIdle() {
        List<Waiting> rest;
        boolean known;
        lock.lock();
        try {
            if (!ended || writing) {
                return;
            }
            rest = List.copyOf(waiting);
            waiting.clear();
            known = !broken;
        } finally {
            lock.unlock();
        }
        List<AuditEvent.OfExecution> events = new ArrayList<>();
        for (Waiting one : rest) {
            // A permission that comes after the end is not used; there is nothing to record of it.
            if (!(one.event() instanceof AuditEvent.EgressAllowed
                    || one.event() instanceof AuditEvent.ExecutionCalled)) {
                events.add(one.event());
            }
            one.durable().complete(false);
        }
        ending.complete(new Ending(known ? Optional.of(chain) : Optional.empty(), events));
    }
}
