package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jboss.logging.Logger;

/**
 * The last step of {@link ExecutionService}'s sequence: holds the result to its contract, records how the execution ended or that another
 * attempt follows, and answers. Nothing is answered whose record is not known to be durable.
 *
 * <p>Thread-safe; waits for nothing.
 */
final class ExecutionClosing {
    private static final Logger LOG = Logger.getLogger(ExecutionClosing.class);

    private final OutputContract outputContract;
    private final Answers answers;
    private final AuditCodec codec;
    private final ExecutionJournal journal;
    private final Function<ExecutionId, Uni<StreamPosition>> positions;
    private final LiveExecutions live;
    private final Submissions submissions;
    private final ExecutionMetrics metrics;
    private final Clock clock;
    private final ExecutionLimits limits;

    @SuppressWarnings("TooManyParameters") // A part of the sequence, with the parts that it uses.
    ExecutionClosing(
            OutputContract outputContract,
            Answers answers,
            AuditCodec codec,
            ExecutionJournal journal,
            Function<ExecutionId, Uni<StreamPosition>> positions,
            LiveExecutions live,
            Submissions submissions,
            ExecutionMetrics metrics,
            Clock clock,
            ExecutionLimits limits) {
        this.outputContract = outputContract;
        this.answers = answers;
        this.codec = codec;
        this.journal = journal;
        this.positions = positions;
        this.live = live;
        this.submissions = submissions;
        this.metrics = metrics;
        this.clock = clock;
        this.limits = limits;
    }

    /** Records the end, or that another attempt follows, and answers; never fails. */
    Uni<ExecutionAnswer> close(
            Run run, ExecutionOutcome outcome, WorkerRecord worker, ExecutionTrail trail, Visit visit) {
        return outputContract
                .judge(run, outcome, answers.end(run, outcome, worker), worker)
                .chain(ended -> close(run, outcome, worker, ended, trail, visit));
    }

    private Uni<ExecutionAnswer> close(
            Run run,
            ExecutionOutcome outcome,
            WorkerRecord worker,
            Answers.End ended,
            ExecutionTrail trail,
            Visit visit) {
        Optional<Attempt.Again> again = again(run, outcome, ended);
        Answers.End end = again.isEmpty() ? Answers.last(run, ended) : ended;
        Uni<Boolean> written = trail.end()
                .chain(ending -> entry(run, outcome, worker, end, again, ending))
                .chain(entry -> patiently(journal.write(entry)));
        return closed(run, outcome, worker, end, written, visit);
    }

    private Uni<JournalEntry> entry(
            Run run,
            ExecutionOutcome outcome,
            WorkerRecord worker,
            Answers.End end,
            Optional<Attempt.Again> again,
            ExecutionTrail.Ending ending) {
        return ending.chain()
                .map(chain -> Uni.createFrom().item(chain))
                // A write failed meanwhile: only the database knows whether it took effect.
                .orElseGet(() -> patiently(Uni.createFrom().deferred(() -> positions.apply(run.id())))
                        .map(position -> AuditChain.resume(codec, run.auditContext(), position)))
                .map(chain -> again.<JournalEntry>map(
                                next -> requeue(run, outcome, worker, end, chain, ending.events(), next))
                        .orElseGet(() -> closure(run, outcome, worker, end, chain, ending.events())));
    }

    /** Whether and when another attempt follows. */
    private Optional<Attempt.Again> again(Run run, ExecutionOutcome outcome, Answers.End end) {
        return run.attempt()
                .flatMap(attempt -> Answers.retryAfter(outcome).isPresent()
                        ? attempt.afterNothing(clock.instant())
                        : attempt.after(end, clock.instant(), live.draining()));
    }

    private static Requeue requeue(
            Run run,
            ExecutionOutcome outcome,
            WorkerRecord worker,
            Answers.End end,
            AuditChain chain,
            List<AuditEvent.OfExecution> before,
            Attempt.Again again) {
        List<AuditRecord> records = new ArrayList<>();
        before.forEach(event -> records.add(chain.append(event)));
        records.add(chain.append(new AuditEvent.ExecutionAttempted(
                run.id(),
                run.attempt().orElseThrow().number(),
                again.ran(),
                end.status().wireName(),
                end.httpStatus(),
                end.code(),
                outcome.usage(),
                worker.id(),
                again.readyAt())));
        return new Requeue(
                run.id(), Optional.of(run.decision().id()), again.ran(), again.readyAt(), records, chain.position());
    }

    private Closure closure(
            Run run,
            ExecutionOutcome outcome,
            WorkerRecord worker,
            Answers.End end,
            AuditChain chain,
            List<AuditEvent.OfExecution> before) {
        List<AuditRecord> records = new ArrayList<>();
        before.forEach(event -> records.add(chain.append(event)));
        records.add(chain.append(new AuditEvent.ExecutionFinished(
                run.id(),
                end.status().wireName(),
                end.httpStatus(),
                end.code(),
                end.resultDigest(),
                outcome.usage(),
                worker.isolation(),
                worker.id(),
                end.outputProblems(),
                end.models().use())));
        return new Closure(
                run.id(),
                Optional.of(run.decision().id()),
                end.status(),
                end.httpStatus(),
                end.code(),
                end.limitedMessage(),
                end.resultDigest(),
                outcome.usage(),
                worker.isolation(),
                worker.id(),
                clock.instant(),
                worker.logs(),
                run.key().map(key -> Answers.keyEnd(key, outcome, end)),
                submissions.end(run, end, clock.instant()),
                records,
                chain.position());
    }

    /** What an execution's end needs of the database is tried more than once. */
    private <T> Uni<T> patiently(Uni<T> attempt) {
        return limits.closeRetriesMax() == 0
                ? attempt
                : attempt.onFailure()
                        .retry()
                        .withBackOff(Duration.ofMillis(50), Duration.ofMillis(500))
                        .atMost(limits.closeRetriesMax());
    }

    private Uni<ExecutionAnswer> closed(
            Run run,
            ExecutionOutcome outcome,
            WorkerRecord worker,
            Answers.End end,
            Uni<Boolean> written,
            Visit visit) {
        return written.onTermination()
                .invoke(() -> live.remove(run.id()))
                .onItemOrFailure()
                .transform((effective, failure) -> {
                    visit.closed(worker, limits.workersPerSnapshot(), failure != null);
                    if (failure != null) {
                        LOG.errorf(
                                failure, "the end of %s is perhaps not recorded; if not, recovery closes it", run.id());
                        return Answers.withheld(
                                ErrorCode.EXECUTION_LOST,
                                "The execution " + run.id()
                                        + " ran, but that its end was recorded is not known, so its result is"
                                        + " withheld; its record will say how it ended.");
                    }
                    if (!effective) {
                        LOG.warnf(
                                "the end of %s is dropped: this server was taken for dead, and it was closed or begun again meanwhile",
                                run.id());
                        return Answers.withheld(
                                ErrorCode.EXECUTION_LOST,
                                "The execution " + run.id() + " was closed by recovery before it ended.");
                    }
                    metrics.finished(run.target(), end.status(), run.elapsed());
                    return new ExecutionAnswer.Envelope(
                            end.httpStatus(), end.envelope(), Optional.of(run.id()), Answers.retryAfter(outcome));
                });
    }
}
