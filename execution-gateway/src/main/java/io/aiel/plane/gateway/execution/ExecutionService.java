package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.gateway.execution.RunnerRequest.Action;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Usage;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * The one sequence that every execution goes through: resolve, check the input, decide, admit, run, close. Nothing runs that
 * was not decided and durably recorded first, and nothing is answered that was not durably recorded first.
 *
 * <p>Thread-safe. Everything here is called on an event loop and waits for nothing; the worker runs on the hydrator's threads.
 */
public final class ExecutionService {
    private static final Logger LOG = Logger.getLogger(ExecutionService.class);

    /** From here on new work is refused for a while (design, section 10). */
    private static final double BACKLOG_SLOW = 0.80;

    /** From here on nothing new is taken at all. */
    private static final double BACKLOG_FULL = 0.95;

    private static final Duration RETRY_SOON = Duration.ofSeconds(1);

    private final CapabilityRegistry registry;
    private final EventCheck eventCheck;
    private final PolicyEngine policy;
    private final Hydrator hydrator;
    private final Outbox outbox;
    private final AuditCodec codec;
    private final ExecutionJournal journal;
    private final LiveExecutions live;
    private final Envelopes envelopes;
    private final ExecutionMetrics metrics;
    private final Tracer tracer;
    private final Clock clock;
    private final ExecutionLimits limits;

    @SuppressWarnings("TooManyParameters") // The one place that knows all the parts; each is used in one step.
    ExecutionService(
            CapabilityRegistry registry,
            EventCheck eventCheck,
            PolicyEngine policy,
            Hydrator hydrator,
            Outbox outbox,
            AuditCodec codec,
            ExecutionJournal journal,
            LiveExecutions live,
            Envelopes envelopes,
            ExecutionMetrics metrics,
            Tracer tracer,
            Clock clock,
            ExecutionLimits limits) {
        this.registry = registry;
        this.eventCheck = eventCheck;
        this.policy = policy;
        this.hydrator = hydrator;
        this.outbox = outbox;
        this.codec = codec;
        this.journal = journal;
        this.live = live;
        this.envelopes = envelopes;
        this.metrics = metrics;
        this.tracer = tracer;
        this.clock = clock;
        this.limits = limits;
    }

    /** Checks an event against a capability's input schema; empty list when it fits or there is no schema. */
    @FunctionalInterface
    public interface EventCheck {
        List<InputError> check(Capability capability, JsonNode event);
    }

    /**
     * Takes one runner request through the whole sequence. Cancelling the {@code Uni} says that the client has gone away: the
     * worker is stopped, and the sequence still goes on to the record of the end.
     *
     * @param document the request as it came
     */
    public Uni<ExecutionAnswer> execute(Caller caller, JsonNode document) {
        Departure departure = new Departure();
        // A subscription of its own: the caller's cancellation must stop the worker, but never the record.
        return Uni.createFrom()
                .<ExecutionAnswer>emitter(emitter ->
                        sequence(caller, document, departure).subscribe().with(emitter::complete, emitter::fail))
                .onCancellation()
                .invoke(departure::happened);
    }

    private Uni<ExecutionAnswer> sequence(Caller caller, JsonNode document, Departure departure) {
        Optional<ExecutionAnswer> refusal = refuseWhenUnable();
        if (refusal.isPresent()) {
            return Uni.createFrom().item(refusal.get());
        }
        return switch (new RunnerRequestReader(limits.timeoutMsMax()).read(document)) {
            case RunnerRequestReader.Result.Invalid(var errors) ->
                Uni.createFrom().item(invalid(caller, "The request is not valid: " + summary(errors), errors));
            case RunnerRequestReader.Result.Read(var request) -> resolve(caller, request, departure);
        };
    }

    private Optional<ExecutionAnswer> refuseWhenUnable() {
        double fill = outbox.fill();
        if (fill >= BACKLOG_FULL) {
            return refused(ErrorCode.NOT_READY, "The audit backlog is full; nothing can be recorded, so nothing runs.");
        }
        if (fill >= BACKLOG_SLOW) {
            return refused(ErrorCode.AUDIT_BACKLOG, "The audit backlog is nearly full; try again shortly.");
        }
        if (live.draining()) {
            return refused(ErrorCode.NOT_READY, "The server is stopping; another one will take the request.");
        }
        return Optional.empty();
    }

    private static Optional<ExecutionAnswer> refused(ErrorCode code, String detail) {
        return Optional.of(new ExecutionAnswer.Refused(code, detail, Optional.of(RETRY_SOON)));
    }

    // 2 resolve

    private Uni<ExecutionAnswer> resolve(Caller caller, RunnerRequest request, Departure departure) {
        return registry.resolve(caller.scope(), request.target(), request.capability())
                .chain(resolution -> resolved(caller, request, resolution, departure));
    }

    private Uni<ExecutionAnswer> resolved(
            Caller caller, RunnerRequest request, Resolution resolution, Departure departure) {
        return switch (resolution) {
            case Resolution.Found(var target) -> checkInput(caller, request, target, departure);
            case Resolution.NothingDeployed(var environment, var rejected) ->
                answer(new ExecutionAnswer.Refused(
                        ErrorCode.NO_DEPLOYMENT,
                        "Nothing is deployed in the environment '" + environment + "'."
                                + (rejected.isEmpty()
                                        ? " Push a project first."
                                        : " The newest push was rejected: " + String.join("; ", rejected)),
                        Optional.empty()));
            case Resolution.UnknownSnapshot(var digest) ->
                answer(missing(caller, request, "No valid snapshot " + digest + " in this project", List.of()));
            case Resolution.UnknownCapability(var kind, var name, var known) ->
                unknown(caller, request, kind, name, known);
            case Resolution.ValidationUnavailable(var detail) ->
                answer(new ExecutionAnswer.Refused(ErrorCode.NOT_READY, detail, Optional.of(RETRY_SOON)));
        };
    }

    /** An MCP tool that exists nowhere is missing; one that its server does not allow is a security violation. */
    private Uni<ExecutionAnswer> unknown(
            Caller caller, RunnerRequest request, String kind, String name, List<String> known) {
        if (request.capability()
                .map(CapabilityRef::kind)
                .filter(CapabilityKind.MCP::equals)
                .isEmpty()) {
            return answer(missing(caller, request, title(kind) + " not found: " + name, known));
        }
        String server = request.document().path("mcp").path("server").asText();
        String tool = request.document().path("mcp").path("tool").asText();
        return registry.capabilities(caller.scope(), request.target()).map(all -> {
            boolean serverExists =
                    all.stream().anyMatch(c -> c.server().filter(server::equals).isPresent());
            return serverExists
                    ? unrecorded(
                            caller,
                            ErrorCode.SECURITY_VIOLATION,
                            "Tool '" + tool + "' is not among the tools of MCP server '" + server + "'",
                            envelopes.noDetails())
                    : missing(caller, request, "MCP server not found: " + server, known);
        });
    }

    private static String title(String kind) {
        return Character.toUpperCase(kind.charAt(0)) + kind.substring(1);
    }

    private Uni<ExecutionAnswer> checkInput(
            Caller caller, RunnerRequest request, ResolvedCapability target, Departure departure) {
        List<InputError> errors = target.capability()
                .filter(c -> c.ref().kind() != CapabilityKind.HTTP)
                .map(c -> eventCheck.check(c, request.arguments()))
                .orElse(List.of());
        if (!errors.isEmpty()) {
            return answer(invalid(caller, "The input does not fit the schema: " + summary(errors), errors));
        }
        return decide(caller, request, target, departure);
    }

    // 3 decide

    private Uni<ExecutionAnswer> decide(
            Caller caller, RunnerRequest request, ResolvedCapability target, Departure departure) {
        Instant now = clock.instant();
        JsonText arguments = envelopes.text(request.arguments());
        Digest argumentsDigest = Digest.of(arguments.value());
        Span span = tracer.spanBuilder("plane.decide").setParent(caller.trace()).startSpan();
        Decision decision = policy.decide(new PolicyInput(
                caller.principal(),
                "execution.invoke",
                Optional.of(caller.scope()),
                Optional.of(target),
                target.capability()
                        .map(c -> c.ref().toString())
                        .orElse(request.action().wireName()),
                Optional.of(arguments),
                Optional.of(argumentsDigest),
                request.wantsNetwork(),
                request.wantsSubprocess(),
                request.timeoutMs(),
                now,
                caller.sourceAddress(),
                caller.traceId(),
                caller.requestId()));
        span.setAttribute("plane.decision", decision instanceof Decision.Allow ? "allow" : "deny");
        span.end();
        Decision effective = refuseUnmetObligations(decision);
        ExecutionId id = ExecutionId.create();
        Run run = new Run(id, caller, request, target, effective, argumentsDigest, now);
        return admit(run, departure);
    }

    /** Nobody can be asked for an approval yet: an obligation that cannot be met is a denial. */
    private static Decision refuseUnmetObligations(Decision decision) {
        if (decision instanceof Decision.Allow allow && allow.obligations().approvalRequired()) {
            return new Decision.Deny(
                    allow.id(),
                    allow.policyDigest(),
                    allow.input(),
                    List.of("the policy demands an approval, and approvals cannot be given on this server"),
                    false);
        }
        return decision;
    }

    // 4 admit

    private Uni<ExecutionAnswer> admit(Run run, Departure departure) {
        AuditChain chain = AuditChain.begin(codec, auditContext(run.caller()), run.id());
        List<AuditRecord> records = List.of(
                chain.append(new AuditEvent.ExecutionRequested(
                        run.id(),
                        run.caller().scope(),
                        run.target(),
                        run.request().action().wireName(),
                        Optional.of(run.argumentsDigest()),
                        run.request().timeoutMs(),
                        run.request().idempotencyKey())),
                chain.append(new AuditEvent.PolicyDecided(run.id(), envelopes.recorded(run.decision()))),
                chain.append(
                        switch (run.decision()) {
                            case Decision.Allow _ -> new AuditEvent.ExecutionAdmitted(run.id());
                            case Decision.Deny deny ->
                                new AuditEvent.ExecutionDenied(
                                        run.id(), denialCode(deny).name(), deny.reasons());
                        }));
        Admission admission = new Admission(
                run.id(),
                run.caller(),
                run.target(),
                run.request().action().wireName(),
                run.decision(),
                run.request().idempotencyKey(),
                run.argumentsDigest(),
                run.request().timeoutMs(),
                run.requestedAt(),
                records,
                chain.position());
        Span span = tracer.spanBuilder("plane.admit")
                .setParent(run.caller().trace())
                .startSpan();
        boolean allowed = run.decision() instanceof Decision.Allow;
        if (allowed) {
            // Before the write: from the commit on, the sweeper may see the row and must know that it is alive.
            live.add(run.id());
        }
        return journal.write(admission)
                .onTermination()
                .invoke(span::end)
                .onItemOrFailure()
                .transformToUni((_, failure) -> {
                    if (failure != null) {
                        live.remove(run.id());
                        return answer(admissionFailed(run, failure));
                    }
                    return switch (run.decision()) {
                        case Decision.Deny deny -> answer(denied(run, deny));
                        case Decision.Allow allow -> hydrate(run, allow, chain, departure);
                    };
                });
    }

    private ExecutionAnswer admissionFailed(Run run, Throwable failure) {
        LOG.warnf(failure, "admission of %s failed, nothing ran", run.id());
        metrics.admissionFailed();
        return new ExecutionAnswer.Refused(
                ErrorCode.ADMISSION_UNAVAILABLE,
                "The execution could not be recorded, so it did not run. Try again.",
                Optional.of(RETRY_SOON));
    }

    private ExecutionAnswer denied(Run run, Decision.Deny deny) {
        metrics.finished(run.target(), ExecutionStatus.DENIED, run.elapsed(clock));
        ErrorCode code = denialCode(deny);
        JsonText envelope = envelopes.failed(
                code,
                "Denied by policy: " + String.join("; ", deny.reasons()),
                envelopes.reasons(deny.reasons()),
                meta(run, Usage.NONE, new JsonText("{}"), List.of()));
        return new ExecutionAnswer.Envelope(envelopes.status(code), envelope, Optional.of(run.id()));
    }

    private static ErrorCode denialCode(Decision.Deny deny) {
        return deny.undecided() ? ErrorCode.POLICY_UNAVAILABLE : ErrorCode.POLICY_DENIED;
    }

    // 5 run

    private Uni<ExecutionAnswer> hydrate(Run run, Decision.Allow allow, AuditChain chain, Departure departure) {
        int timeoutMs = Math.min(
                run.request().timeoutMs(), allow.obligations().timeoutMs().orElse(Integer.MAX_VALUE));
        Span span = tracer.spanBuilder("plane.worker")
                .setParent(run.caller().trace())
                .startSpan();
        WorkerRecord worker = new WorkerRecord(limits.logLinesMax());
        HydrationRequest request = new HydrationRequest(
                run.id(),
                run.target(),
                runnerDocument(run, timeoutMs),
                Duration.ofMillis(timeoutMs),
                workerEnvironment(run));
        return outcome(run, request, allow, worker, departure).chain(outcome -> {
            span.setAttribute("plane.worker", worker.id());
            if (outcome instanceof ExecutionOutcome.Ended ended) {
                span.setStatus(StatusCode.ERROR, ended.code().name());
            }
            span.end();
            return close(run, outcome, worker, chain);
        });
    }

    /** Never fails: once admitted, an execution has an end, also when the hydrator breaks its promises. */
    private Uni<ExecutionOutcome> outcome(
            Run run, HydrationRequest request, Decision.Allow allow, WorkerRecord worker, Departure departure) {
        return Uni.createFrom()
                .completionStage(() -> {
                    RunningExecution running = hydrator.run(request, allow, worker);
                    live.running(run.id(), running);
                    departure.then(running::cancel);
                    return running.outcome();
                })
                .onFailure()
                .recoverWithItem(failure -> {
                    LOG.errorf(failure, "the hydrator failed on %s", run.id());
                    return new ExecutionOutcome.Ended(ErrorCode.INTERNAL, ErrorCode.INTERNAL.title(), Usage.NONE);
                });
    }

    private JsonText runnerDocument(Run run, int timeoutMs) {
        ObjectNode document = run.request().document().deepCopy();
        ObjectNode ctx = document.putObject("ctx");
        ctx.put("request_id", requestId(run));
        ctx.put("tenant_id", run.caller().scope().tenant().value());
        ctx.put("workspace_id", run.caller().scope().workspace().value());
        ctx.put("project_id", run.caller().scope().project().value());
        ctx.put("user_id", run.caller().principal().id().value());
        ObjectNode meta = document.putObject("meta");
        meta.put("request_id", requestId(run));
        meta.put("trace_id", run.caller().traceId());
        meta.put("timeout_ms", timeoutMs);
        run.request().idempotencyKey().ifPresent(key -> meta.put("idempotency_key", key));
        return envelopes.text(document);
    }

    /** What the SDK looks for (wire contract, section Inside a worker); never a credential of ours or of the caller's. */
    private static Map<String, String> workerEnvironment(Run run) {
        Caller caller = run.caller();
        Map<String, String> environment = new HashMap<>();
        environment.put("AIEL_WORKSPACE_ID", caller.scope().workspace().value());
        environment.put("AIEL_PROJECT_ID", caller.scope().project().value());
        environment.put("AIEL_BASE_URL", caller.baseUrl());
        environment.put(
                "AIEL_EXECUTE_URL",
                caller.baseUrl() + "/v1/workspaces/" + caller.scope().workspace() + "/projects/"
                        + caller.scope().project() + "/executions");
        return environment;
    }

    // 6 close

    private Uni<ExecutionAnswer> close(Run run, ExecutionOutcome outcome, WorkerRecord worker, AuditChain chain) {
        End end = end(run, outcome, worker);
        AuditRecord record = chain.append(new AuditEvent.ExecutionFinished(
                run.id(),
                end.status().wireName(),
                end.httpStatus(),
                end.code(),
                end.resultDigest(),
                outcome.usage(),
                worker.isolation(),
                worker.id()));
        Closure closure = new Closure(
                run.id(),
                end.status(),
                end.httpStatus(),
                end.code(),
                limited(end.message()),
                end.resultDigest(),
                outcome.usage(),
                worker.isolation(),
                worker.id(),
                clock.instant(),
                worker.logs(),
                List.of(record),
                chain.position());
        return journal.write(closure)
                .onFailure()
                .retry()
                .withBackOff(Duration.ofMillis(50), Duration.ofMillis(500))
                .atMost(limits.closeRetriesMax())
                .onTermination()
                .invoke(() -> live.remove(run.id()))
                .onItemOrFailure()
                .transform((effective, failure) -> {
                    if (failure != null) {
                        LOG.errorf(failure, "the end of %s could not be recorded; recovery will close it", run.id());
                        return withheld(
                                ErrorCode.ADMISSION_UNAVAILABLE,
                                "The execution " + run.id()
                                        + " ran, but its end could not be recorded, so its result is"
                                        + " withheld; it will be closed as lost.");
                    }
                    if (!effective) {
                        return withheld(
                                ErrorCode.EXECUTION_LOST,
                                "The execution " + run.id() + " was closed by recovery before it ended.");
                    }
                    metrics.finished(run.target(), end.status(), run.elapsed(clock));
                    return new ExecutionAnswer.Envelope(end.httpStatus(), end.envelope(), Optional.of(run.id()));
                });
    }

    private static ExecutionAnswer withheld(ErrorCode code, String detail) {
        return new ExecutionAnswer.Refused(code, detail, Optional.empty());
    }

    /** How an execution ended, as it is recorded and answered. */
    private record End(
            int httpStatus,
            JsonText envelope,
            ExecutionStatus status,
            String code,
            Optional<Digest> resultDigest,
            String message) {}

    private End end(Run run, ExecutionOutcome outcome, WorkerRecord worker) {
        return switch (outcome) {
            case ExecutionOutcome.Answered answered -> {
                try {
                    yield answered(run, answered, worker);
                } catch (RuntimeException e) {
                    // User code shares the worker's process and can send what it likes: an answer that is none is its
                    // crash.
                    LOG.warnf("the worker's answer to %s cannot be read: %s", run.id(), e.toString());
                    yield ended(
                            run, ErrorCode.WORKER_LOST, "the worker's answer cannot be read", outcome.usage(), worker);
                }
            }
            case ExecutionOutcome.Ended ended -> ended(run, ended.code(), ended.detail(), ended.usage(), worker);
        };
    }

    private End answered(Run run, ExecutionOutcome.Answered answered, WorkerRecord worker) {
        if (answered.httpStatus() < 100 || answered.httpStatus() > 599) {
            throw new IllegalArgumentException("http_status " + answered.httpStatus());
        }
        return new End(
                answered.httpStatus(),
                envelopes.completed(
                        answered.envelope(), meta(run, answered.usage(), worker.isolation(), worker.logs())),
                statusOf(answered),
                answered.errorCode(),
                answered.ok()
                        ? Optional.of(
                                Digest.of(envelopes.result(answered.envelope()).value()))
                        : Optional.empty(),
                answered.ok() ? "" : envelopes.errorMessage(answered.envelope()));
    }

    private End ended(Run run, ErrorCode code, String detail, Usage usage, WorkerRecord worker) {
        Envelopes.Meta meta = meta(run, usage, worker.isolation(), worker.logs());
        return new End(
                envelopes.status(code),
                envelopes.failed(code, detail, envelopes.noDetails(), meta),
                statusOf(code),
                code.name(),
                Optional.empty(),
                detail);
    }

    private static ExecutionStatus statusOf(ExecutionOutcome.Answered answered) {
        if (answered.ok()) {
            return ExecutionStatus.SUCCEEDED;
        }
        return answered.errorCode().equals(ErrorCode.TIMEOUT.name())
                ? ExecutionStatus.TIMED_OUT
                : ExecutionStatus.FAILED;
    }

    private static ExecutionStatus statusOf(ErrorCode code) {
        return switch (code) {
            case TIMEOUT -> ExecutionStatus.TIMED_OUT;
            case CANCELLED -> ExecutionStatus.CANCELLED;
            case MEMORY_LIMIT, PROCESS_LIMIT, OUTPUT_LIMIT, WORKER_LOST -> ExecutionStatus.KILLED;
            case EXECUTION_LOST -> ExecutionStatus.LOST;
            // Everything else ended before or without a worker's doing.
            default -> ExecutionStatus.FAILED;
        };
    }

    // Answers

    private Uni<ExecutionAnswer> answer(ExecutionAnswer answer) {
        return Uni.createFrom().item(answer);
    }

    private ExecutionAnswer invalid(Caller caller, String message, List<InputError> errors) {
        return unrecorded(caller, ErrorCode.VALIDATION_ERROR, message, envelopes.details(errors));
    }

    private ExecutionAnswer missing(Caller caller, RunnerRequest request, String message, List<String> known) {
        ObjectNode details = envelopes.noDetails();
        if (request.action() == Action.INVOKE && !known.isEmpty()) {
            var list = details.putArray("known");
            known.forEach(list::add);
        }
        return unrecorded(caller, ErrorCode.NOT_FOUND, message, details);
    }

    private ExecutionAnswer unrecorded(Caller caller, ErrorCode code, String message, ObjectNode details) {
        Envelopes.Meta meta = new Envelopes.Meta(
                Optional.empty(),
                caller.requestId(),
                caller.traceId(),
                Optional.empty(),
                0,
                Usage.NONE,
                new JsonText("{}"),
                List.of());
        return new ExecutionAnswer.Envelope(
                envelopes.status(code), envelopes.failed(code, message, details, meta), Optional.empty());
    }

    private Envelopes.Meta meta(Run run, Usage usage, JsonText isolation, List<JsonText> logs) {
        return new Envelopes.Meta(
                Optional.of(run.id()),
                requestId(run),
                run.caller().traceId(),
                Optional.of(run.target().snapshot()),
                run.elapsed(clock).toMillis(),
                usage,
                isolation,
                logs);
    }

    private static String requestId(Run run) {
        return run.request().requestId().orElse(run.caller().requestId());
    }

    private static AuditContext auditContext(Caller caller) {
        return new AuditContext(
                caller.scope().tenant(),
                Optional.of(caller.scope().workspace()),
                Optional.of(caller.scope().project()),
                Optional.of(caller.principal().id()),
                caller.requestId(),
                caller.traceparent());
    }

    private static String summary(List<InputError> errors) {
        InputError first = errors.getFirst();
        String more = errors.size() > 1 ? " (and " + (errors.size() - 1) + " more)" : "";
        return (first.pointer().isEmpty() ? "" : first.pointer() + " ") + first.message() + more;
    }

    private static String limited(String message) {
        return message.length() <= 2_000 ? message : message.substring(0, 2_000) + "…";
    }

    private record Run(
            ExecutionId id,
            Caller caller,
            RunnerRequest request,
            ResolvedCapability target,
            Decision decision,
            Digest argumentsDigest,
            Instant requestedAt) {
        Duration elapsed(Clock clock) {
            return Duration.between(requestedAt, clock.instant());
        }
    }

    /** Tells an execution that the client that asked for it has gone away. Thread-safe; fires at most once. */
    private static final class Departure {
        private final AtomicBoolean gone = new AtomicBoolean();
        private volatile Runnable action = () -> {};

        /** Sets what to do; does it at once when the client has gone already. */
        void then(Runnable onDeparture) {
            action = onDeparture;
            if (gone.get()) {
                onDeparture.run();
            }
        }

        /** The client has gone. */
        void happened() {
            if (gone.compareAndSet(false, true)) {
                action.run();
            }
        }
    }
}
