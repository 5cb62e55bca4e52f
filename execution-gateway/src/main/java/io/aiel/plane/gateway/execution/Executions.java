package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.callback.CallbackCheck;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.trace.Tracer;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import java.time.Clock;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.ToIntFunction;

/** The execution feature, put together: what runs executions, finds them, waits for them, stops them, begins the queued ones, and cleans up after a dead server. */
public record Executions(
        ExecutionService service,
        ExecutionQueries queries,
        ExecutionWait waiting,
        ExecutionCancellation cancellation,
        ExecutionRecovery recovery,
        ExecutionReplay replay,
        ExecutionBatch batch,
        QueueDispatcher queue,
        QueueListener listener,
        LiveExecutions live) {

    /** What executions are made of; all thread-safe and owned by whoever gives them. */
    public record Parts(
            ExecutionGate gate,
            CapabilityRegistry registry,
            ExecutionService.EventCheck eventCheck,
            ExecutionService.ResultCheck resultCheck,
            Function<ProjectScope, Uni<Boolean>> strictOutput,
            PolicyEngine policy,
            Hydrator hydrator,
            WorkerApi workerApi,
            Outbox outbox,
            AuditCodec codec,
            ControlAudit controlAudit,
            TokenStanding standing,
            CallbackCheck callbacks,
            ExecutionGate.Timer timer,
            Executor loops,
            Pool pool,
            ObjectMapper json,
            ToIntFunction<ErrorCode> httpStatus,
            MeterRegistry meters,
            Tracer tracer,
            Clock clock) {}

    /**
     * How they behave.
     *
     * @param node the stable name of this server
     * @param batchMax entries in one transaction
     * @param waitingMax entries waiting for a transaction
     * @param flushesMax transactions in flight at once
     * @param statementTimeout for one transaction
     * @param nodeDeadAfter how long a node may be silent before others close what it ran
     * @param idempotencyKept how long an idempotency key stands for what it was used for
     * @param queue what bounds the queue
     */
    public record Settings(
            String node,
            int batchMax,
            int waitingMax,
            int flushesMax,
            Duration statementTimeout,
            Duration nodeDeadAfter,
            Duration idempotencyKept,
            QueueSettings queue,
            ExecutionLimits limits) {}

    /** Puts them together. Starts nothing. */
    public static Executions assemble(Parts parts, Settings settings) {
        String incarnation = UUID.randomUUID().toString();
        LiveExecutions live = new LiveExecutions();
        PostgresExecutionStore store = new PostgresExecutionStore(
                parts.pool(),
                parts.outbox(),
                incarnation,
                settings.statementTimeout(),
                settings.idempotencyKept(),
                parts.httpStatus());
        IdempotencyKeys keys = new IdempotencyKeys(parts.pool(), settings.statementTimeout());
        ExecutionJournal journal = new ExecutionJournal(
                store::write,
                settings.batchMax(),
                settings.waitingMax(),
                settings.flushesMax(),
                parts.timer(),
                System::nanoTime);
        Envelopes envelopes = new Envelopes(parts.json(), parts.httpStatus());
        ExecutionMetrics metrics = new ExecutionMetrics(parts.meters(), live, parts.gate());
        ExecutionQueue queue = new ExecutionQueue(parts.pool(), incarnation, settings.statementTimeout());
        QueuedEnds ends = new QueuedEnds(
                parts.codec(), envelopes, parts.clock(), settings.queue().resultsKept());
        Withdrawals withdrawals = new Withdrawals(store::write, queue::waiting, ends, System::nanoTime);
        // What queues needs to tell what begins, which is made of what queues.
        AtomicReference<Runnable> tell = new AtomicReference<>(() -> {});
        ExecutionService service = new ExecutionService(
                parts.gate(),
                parts.registry(),
                parts.eventCheck(),
                parts.resultCheck(),
                parts.strictOutput(),
                parts.policy(),
                parts.hydrator(),
                parts.workerApi(),
                parts.outbox(),
                parts.codec(),
                journal,
                keys::find,
                store::position,
                live,
                new Submissions(
                        settings.queue(),
                        new QueueBudget(
                                queue::count,
                                queue::countAll,
                                settings.queue().projectQueuedMax(),
                                settings.queue().queuedMax(),
                                System::nanoTime),
                        envelopes,
                        parts.callbacks(),
                        () -> tell.get().run()),
                withdrawals,
                ends,
                new Readership(
                        parts.standing(), parts.policy(), parts.clock(), Readership.LOOK_EVERY, System::nanoTime),
                envelopes,
                metrics,
                parts.tracer(),
                parts.clock(),
                settings.limits());
        QueuedRuns runs = new QueuedRuns(
                service,
                new Entrance(parts.gate(), metrics),
                parts.standing(),
                parts.registry(),
                journal,
                parts.codec(),
                live,
                envelopes,
                ends,
                withdrawals,
                parts.clock(),
                settings.limits().timeoutMsMax());
        QueueDispatcher dispatcher = new QueueDispatcher(
                queue,
                runs::begin,
                live,
                parts.hydrator()::runsWork,
                parts.loops(),
                parts.timer(),
                System::nanoTime,
                settings.queue().inHandMax(),
                settings.queue().projectInHandMax(),
                settings.queue().projectInHandShortMax());
        QueueNotifier notifier =
                new QueueNotifier(parts.pool(), incarnation, parts.timer(), settings.statementTimeout());
        tell.set(() -> {
            dispatcher.look();
            notifier.queued();
        });
        ExecutionRecovery recovery = new ExecutionRecovery(
                parts.pool(),
                journal,
                keys,
                new QueueRecovery(
                        parts.pool(),
                        queue,
                        journal,
                        ends,
                        withdrawals,
                        dispatcher::inHand,
                        parts.clock(),
                        settings.statementTimeout()),
                parts.httpStatus(),
                live,
                parts.codec(),
                parts.clock(),
                settings.node(),
                incarnation,
                settings.nodeDeadAfter(),
                settings.statementTimeout());
        ExecutionQueries queries = new ExecutionQueries(parts.pool(), settings.statementTimeout());
        return new Executions(
                service,
                queries,
                new ExecutionWait(queries, live),
                new ExecutionCancellation(
                        parts.pool(),
                        parts.controlAudit(),
                        live,
                        ids -> QueuedRuns.cancel(ids, queue, ends, journal),
                        incarnation,
                        settings.statementTimeout()),
                recovery,
                new ExecutionReplay(parts.pool(), parts.json(), settings.statementTimeout()),
                new ExecutionBatch(service, parts.gate().projectMax()),
                dispatcher,
                new QueueListener(parts.pool(), incarnation, dispatcher::look, settings.statementTimeout()),
                live);
    }
}
