package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.vocabulary.ErrorCode;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.trace.Tracer;
import io.vertx.mutiny.sqlclient.Pool;
import java.time.Clock;
import java.time.Duration;
import java.util.UUID;
import java.util.function.ToIntFunction;

/** The execution feature, put together: what runs executions, what finds them, what cleans up after a dead server. */
public record Executions(
        ExecutionService service, ExecutionQueries queries, ExecutionRecovery recovery, LiveExecutions live) {

    /** What executions are made of; all thread-safe and owned by whoever gives them. */
    public record Parts(
            CapabilityRegistry registry,
            ExecutionService.EventCheck eventCheck,
            PolicyEngine policy,
            Hydrator hydrator,
            Outbox outbox,
            AuditCodec codec,
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
     */
    public record Settings(
            String node,
            int batchMax,
            int waitingMax,
            int flushesMax,
            Duration statementTimeout,
            Duration nodeDeadAfter,
            ExecutionLimits limits) {}

    /** Puts them together. Starts nothing. */
    public static Executions assemble(Parts parts, Settings settings) {
        String incarnation = UUID.randomUUID().toString();
        LiveExecutions live = new LiveExecutions();
        PostgresExecutionStore store =
                new PostgresExecutionStore(parts.pool(), parts.outbox(), incarnation, settings.statementTimeout());
        ExecutionJournal journal =
                new ExecutionJournal(store::write, settings.batchMax(), settings.waitingMax(), settings.flushesMax());
        ExecutionService service = new ExecutionService(
                parts.registry(),
                parts.eventCheck(),
                parts.policy(),
                parts.hydrator(),
                parts.outbox(),
                parts.codec(),
                journal,
                live,
                new Envelopes(parts.json(), parts.httpStatus()),
                new ExecutionMetrics(parts.meters(), live),
                parts.tracer(),
                parts.clock(),
                settings.limits());
        ExecutionRecovery recovery = new ExecutionRecovery(
                parts.pool(),
                journal,
                live,
                parts.codec(),
                parts.clock(),
                settings.node(),
                incarnation,
                settings.nodeDeadAfter(),
                settings.statementTimeout());
        return new Executions(service, new ExecutionQueries(parts.pool(), settings.statementTimeout()), recovery, live);
    }
}
