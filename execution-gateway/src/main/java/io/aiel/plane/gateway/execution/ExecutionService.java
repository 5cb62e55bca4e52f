package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.Outbox;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.gateway.overload.Entry;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.gateway.overload.Place;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.hydrator.WorkerListener;
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
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Usage;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * The one sequence that every execution goes through: take a place, resolve, check the input, decide, admit, run, close.
 * Nothing runs that was not decided and durably recorded first, and nothing is answered that was not durably recorded first.
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

    private final Entrance entrance;
    private final CapabilityRegistry registry;
    private final EventCheck eventCheck;
    private final PolicyEngine policy;
    private final Hydrator hydrator;
    private final WorkerApi workerApi;
    private final Outbox outbox;
    private final AuditCodec codec;
    private final ExecutionJournal journal;
    private final Function<IdempotencyKey, Uni<Optional<IdempotencyKeys.Use>>> keys;
    private final Function<ExecutionId, Uni<StreamPosition>> positions;
    private final LiveExecutions live;
    private final Submissions submissions;
    private final Withdrawals withdrawals;
    private final QueuedEnds queuedEnds;
    private final Readership readers;
    private final Envelopes envelopes;
    private final Answers answers;
    private final ExecutionClosing closing;
    private final ExecutionMetrics metrics;
    private final Tracer tracer;
    private final Clock clock;
    private final ExecutionLimits limits;

    @SuppressWarnings("TooManyParameters") // The one place that knows all the parts; each is used in one step.
    ExecutionService(
            ExecutionGate gate,
            CapabilityRegistry registry,
            EventCheck eventCheck,
            ResultCheck resultCheck,
            Function<ProjectScope, Uni<Boolean>> strictOutput,
            PolicyEngine policy,
            Hydrator hydrator,
            WorkerApi workerApi,
            Outbox outbox,
            AuditCodec codec,
            ExecutionJournal journal,
            Function<IdempotencyKey, Uni<Optional<IdempotencyKeys.Use>>> keys,
            Function<ExecutionId, Uni<StreamPosition>> positions,
            LiveExecutions live,
            Submissions submissions,
            Withdrawals withdrawals,
            QueuedEnds queuedEnds,
            Readership readers,
            Envelopes envelopes,
            ExecutionMetrics metrics,
            Tracer tracer,
            Clock clock,
            ExecutionLimits limits) {
        this.entrance = new Entrance(gate, metrics);
        this.registry = registry;
        this.eventCheck = eventCheck;
        this.policy = policy;
        this.hydrator = hydrator;
        this.workerApi = workerApi;
        this.outbox = outbox;
        this.codec = codec;
        this.journal = journal;
        this.keys = keys;
        this.positions = positions;
        this.live = live;
        this.submissions = submissions;
        this.withdrawals = withdrawals;
        this.queuedEnds = queuedEnds;
        this.readers = readers;
        this.envelopes = envelopes;
        this.answers = new Answers(envelopes);
        this.closing = new ExecutionClosing(
                new OutputContract(resultCheck, strictOutput, envelopes, answers),
                answers,
                codec,
                journal,
                positions,
                live,
                submissions,
                metrics,
                clock,
                limits);
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

    /** What {@link #execute} would answer any request of this project now, when that is a refusal: for whoever can say so sooner. */
    public Optional<ExecutionAnswer.Refused> refusal(ProjectId project) {
        return refuseWhenUnable().or(() -> entrance.refusal(project));
    }

    /** Checks a result, which is read only if need be, against a capability's output schema; empty list as for events. */
    @FunctionalInterface
    public interface ResultCheck {
        List<InputError> check(Capability capability, Supplier<JsonNode> result);
    }

    /**
     * Takes one runner request through the whole sequence. Cancelling the {@code Uni} says that the client has gone away: the
     * worker is stopped, and the sequence still goes on to the record of the end. With an idempotency key it goes on as if the client were
     * there: the key is how it gets the answer later.
     *
     * @param document the request as it came
     * @param idempotencyKey that came beside the document
     */
    public Uni<ExecutionAnswer> execute(Caller caller, JsonNode document, Optional<String> idempotencyKey) {
        return execute(caller, document, idempotencyKey, Manner.NOW);
    }

    /**
     * The same in some other manner. What is queued is resolved, checked, decided and admitted like everything; it needs no place, as it does
     * not run now, and goes on when its client leaves.
     */
    public Uni<ExecutionAnswer> execute(
            Caller caller, JsonNode document, Optional<String> idempotencyKey, Manner manner) {
        Visit visit = new Visit(System::nanoTime, manner);
        // A subscription of its own: the caller's cancellation must stop the worker, but never the record.
        return Uni.createFrom()
                .<ExecutionAnswer>emitter(emitter -> sequence(caller, document, idempotencyKey, visit)
                        .subscribe()
                        .with(emitter::complete, emitter::fail))
                .onCancellation()
                .invoke(visit::happened);
    }

    /**
     * The same for a caller who takes what the code gives as it comes. Whatever happens before a worker has the request is answered as
     * to everybody. From then on leaving the stream says that the client has gone away.
     *
     * @param problem the document that stands for a refusal when the stream has begun
     */
    public Uni<StreamAnswer> stream(
            Caller caller,
            JsonNode document,
            Optional<String> idempotencyKey,
            Function<ExecutionAnswer.Refused, JsonText> problem) {
        Visit visit = new Visit(System::nanoTime);
        return new StreamedExecution(visit, envelopes::isSuccess, problem)
                .of(() -> sequence(caller, document, idempotencyKey, visit));
    }

    /** Those who read streams, of which {@link #stream} gives some. */
    Readership readers() {
        return readers;
    }

    private Uni<ExecutionAnswer> sequence(
            Caller caller, JsonNode document, Optional<String> idempotencyKey, Visit visit) {
        Optional<ExecutionAnswer.Refused> refusal = refuseWhenUnable();
        if (refusal.isPresent()) {
            return answer(refusal.get());
        }
        if (visit.manner().queued()) {
            visit.outlivesItsClient();
            return read(caller, document, idempotencyKey, visit);
        }
        return entrance.enter(caller.scope().project()).chain(entry -> switch (entry) {
            case Entry.Refused(var reason) ->
                answer(entrance.refused(caller.scope().project(), reason));
            case Place place -> inside(place, caller, document, idempotencyKey, visit);
        });
    }

    private Uni<ExecutionAnswer> inside(
            Place place, Caller caller, JsonNode document, Optional<String> idempotencyKey, Visit visit) {
        visit.entered(place);
        return Uni.createFrom()
                .deferred(() -> visit.clientGone()
                        ? answer(new ExecutionAnswer.Refused(
                                ErrorCode.CANCELLED, "The client went away before anything ran.", Optional.empty()))
                        : read(caller, document, idempotencyKey, visit))
                .onTermination()
                .invoke(visit::over);
    }

    private Uni<ExecutionAnswer> read(Caller caller, JsonNode document, Optional<String> idempotencyKey, Visit visit) {
        return switch (new RunnerRequestReader(limits.timeoutMsMax()).read(document, idempotencyKey)) {
            case RunnerRequestReader.Result.Invalid(var errors) ->
                answer(answers.invalid(caller, "The request is not valid", errors));
            case RunnerRequestReader.Result.Read(var request) -> {
                if (request.idempotencyKey().isPresent()) {
                    visit.outlivesItsClient();
                }
                List<InputError> wrong = submissions.wrong(request, visit.manner(), clock.instant());
                yield wrong.isEmpty()
                        ? submissions
                                .tooLarge(request, visit.manner())
                                .map(this::answer)
                                .orElseGet(() -> callback(caller, request, visit))
                        : answer(answers.invalid(caller, "The request is not valid", wrong));
            }
        };
    }

    private Uni<ExecutionAnswer> callback(Caller caller, RunnerRequest request, Visit visit) {
        return request.callback().isEmpty()
                ? resolve(caller, request, visit)
                : submissions
                        .wrongWithCallback(request, caller.scope())
                        .chain(wrong -> wrong.isEmpty()
                                ? resolve(caller, request, visit)
                                : answer(answers.invalid(caller, "The request is not valid", wrong)));
    }

    Optional<ExecutionAnswer.Refused> refuseWhenUnable() {
        double fill = outbox.fill();
        if (fill >= BACKLOG_FULL) {
            return Optional.of(refuseForNow(
                    ErrorCode.NOT_READY, "The audit backlog is full; nothing can be recorded, so nothing runs."));
        }
        if (fill >= BACKLOG_SLOW) {
            return Optional.of(
                    refuseForNow(ErrorCode.AUDIT_BACKLOG, "The audit backlog is nearly full; try again shortly."));
        }
        if (live.draining()) {
            return Optional.of(
                    refuseForNow(ErrorCode.NOT_READY, "The server is stopping; another one will take the request."));
        }
        return Optional.empty();
    }

    private static ExecutionAnswer.Refused refuseForNow(ErrorCode code, String detail) {
        return new ExecutionAnswer.Refused(code, detail, Optional.of(RETRY_SOON));
    }

    // 2 resolve

    private Uni<ExecutionAnswer> resolve(Caller caller, RunnerRequest request, Visit visit) {
        return registry.resolve(caller.scope(), request.target(), request.capability())
                .chain(resolution -> resolved(caller, request, resolution, visit));
    }

    private Uni<ExecutionAnswer> resolved(Caller caller, RunnerRequest request, Resolution resolution, Visit visit) {
        return switch (resolution) {
            case Resolution.Found(var target) -> checkInput(caller, request, target, visit);
            case Resolution.NothingDeployed(var environment, var rejected) ->
                answer(new ExecutionAnswer.Refused(
                        ErrorCode.NO_DEPLOYMENT,
                        "Nothing is deployed in the environment '" + environment + "'."
                                + (rejected.isEmpty()
                                        ? " Push a project first."
                                        : " The newest push was rejected: " + String.join("; ", rejected)),
                        Optional.empty()));
            case Resolution.UnknownSnapshot(var digest) ->
                answer(answers.missing(caller, request, "No valid snapshot " + digest + " in this project", List.of()));
            case Resolution.UnknownCapability(var kind, var name, var known) ->
                unknown(caller, request, kind, name, known);
            case Resolution.ValidationUnavailable(var detail) -> answer(refuseForNow(ErrorCode.NOT_READY, detail));
        };
    }

    /** An MCP tool that exists nowhere is missing; one that its server does not allow is a security violation. */
    private Uni<ExecutionAnswer> unknown(
            Caller caller, RunnerRequest request, String kind, String name, List<String> known) {
        if (request.capability()
                .map(CapabilityRef::kind)
                .filter(CapabilityKind.MCP::equals)
                .isEmpty()) {
            return answer(answers.missing(
                    caller,
                    request,
                    Character.toUpperCase(kind.charAt(0)) + kind.substring(1) + " not found: " + name,
                    known));
        }
        String server = request.document().path("mcp").path("server").asText();
        String tool = request.document().path("mcp").path("tool").asText();
        return registry.capabilities(caller.scope(), request.target()).map(all -> {
            boolean serverExists =
                    all.stream().anyMatch(c -> c.server().filter(server::equals).isPresent());
            return serverExists
                    ? answers.unrecorded(
                            caller,
                            ErrorCode.SECURITY_VIOLATION,
                            "Tool '" + tool + "' is not among the tools of MCP server '" + server + "'",
                            envelopes.noDetails())
                    : answers.missing(caller, request, "MCP server not found: " + server, known);
        });
    }

    private Uni<ExecutionAnswer> checkInput(
            Caller caller, RunnerRequest request, ResolvedCapability target, Visit visit) {
        List<InputError> errors = target.capability()
                .filter(c -> c.ref().kind() != CapabilityKind.HTTP)
                .map(c -> eventCheck.check(c, request.arguments()))
                .orElse(List.of());
        if (!errors.isEmpty()) {
            return answer(answers.invalid(caller, "The input does not fit the schema", errors));
        }
        return decide(caller, request, target, visit);
    }

    // 3 decide

    private Uni<ExecutionAnswer> decide(Caller caller, RunnerRequest request, ResolvedCapability target, Visit visit) {
        Instant now = clock.instant();
        JsonText arguments = envelopes.text(request.arguments());
        Digest argumentsDigest = Digest.of(arguments.value());
        Decision decision = decision(caller, request, target, arguments, argumentsDigest, now);
        Run run = new Run(
                ExecutionId.create(),
                caller,
                request,
                target,
                decision,
                argumentsDigest,
                Optional.empty(),
                now,
                System.nanoTime());
        if (visit.manner().trial() && decision instanceof Decision.Allow) {
            return answer(new ExecutionAnswer.Queued(run.id(), false));
        }
        if (visit.manner().scheduled().isPresent() && decision instanceof Decision.Deny deny && deny.undecided()) {
            // Nobody waits for it, so it is asked again, like what is queued. A denial on record would be its end.
            return answer(
                    refuseForNow(ErrorCode.POLICY_UNAVAILABLE, "The policy could not decide; try again shortly."));
        }
        return claim(run)
                .map(claim -> admitUnlessKnown(run, claim, visit))
                .orElseGet(() -> admit(run, Optional.empty(), visit));
    }

    /** What the policy says now. */
    Decision decision(
            Caller caller,
            RunnerRequest request,
            ResolvedCapability target,
            JsonText arguments,
            Digest argumentsDigest,
            Instant now) {
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
        return refuseUnmetObligations(decision);
    }

    // The key of the request, if it has one. After the decision: an answer is given again only to who may still ask.

    /** A denial claims nothing: the same request may be sent again once the policy allows it. */
    private Optional<IdempotencyClaim> claim(Run run) {
        return run.decision() instanceof Decision.Allow
                ? run.key().map(key -> new IdempotencyClaim(key, envelopes.fingerprint(run.request())))
                : Optional.empty();
    }

    private Uni<ExecutionAnswer> admitUnlessKnown(Run run, IdempotencyClaim claim, Visit visit) {
        return keys.apply(claim.key()).onItemOrFailure().transformToUni((use, failure) -> {
            if (failure != null) {
                return answer(admissionFailed(run, failure));
            }
            return use.map(known -> answer(answers.known(run, claim, known, visit.manner())))
                    .orElseGet(() -> admit(run, Optional.of(claim), visit));
        });
    }

    /** Another request with the key was admitted since this one looked. */
    private Uni<ExecutionAnswer> overtaken(Run run, IdempotencyClaim claim, Visit visit) {
        return keys.apply(claim.key())
                .onItemOrFailure()
                .transform((use, failure) -> failure == null && use.isPresent()
                        ? answers.known(run, claim, use.get(), visit.manner())
                        : admissionFailed(
                                run,
                                failure == null ? new IllegalStateException("the key was freed meanwhile") : failure));
    }

    /** Nobody can be asked for an approval yet: an obligation that cannot be met is a denial. */
    static Decision refuseUnmetObligations(Decision decision) {
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

    private Uni<ExecutionAnswer> admit(Run run, Optional<IdempotencyClaim> claim, Visit visit) {
        Optional<QueuedWork> work = submissions.work(run, visit.manner());
        return work.isEmpty()
                ? admit(run, claim, visit, work)
                : submissions.within(run.caller().scope().project(), () -> admit(run, claim, visit, work));
    }

    private Uni<ExecutionAnswer> admit(
            Run run, Optional<IdempotencyClaim> claim, Visit visit, Optional<QueuedWork> work) {
        AuditChain chain = AuditChain.begin(codec, run.auditContext(), run.id());
        List<AuditRecord> records = List.of(
                chain.append(new AuditEvent.ExecutionRequested(
                        run.id(),
                        run.caller().scope(),
                        run.target(),
                        run.request().action().wireName(),
                        Optional.of(run.argumentsDigest()),
                        run.request().timeoutMs(),
                        run.request().idempotencyKey(),
                        visit.manner().replayOf())),
                chain.append(new AuditEvent.PolicyDecided(run.id(), envelopes.recorded(run.decision()))),
                chain.append(
                        switch (run.decision()) {
                            case Decision.Allow _ -> admitted(run, work);
                            case Decision.Deny deny ->
                                new AuditEvent.ExecutionDenied(
                                        run.id(), Admission.denialOf(deny).name(), deny.reasons());
                        }));
        Admission admission = new Admission(
                run.id(),
                run.caller(),
                run.target(),
                run.request().action().wireName(),
                run.decision(),
                run.request().idempotencyKey(),
                claim,
                run.argumentsDigest(),
                run.request().timeoutMs(),
                run.requestedAt(),
                work,
                submissions.kept(run),
                visit.manner().replayOf(),
                visit.manner().scheduled(),
                false,
                records,
                chain.position());
        Span span = tracer.spanBuilder("plane.admit")
                .setParent(run.caller().trace())
                .startSpan();
        boolean runsNow = run.decision() instanceof Decision.Allow && work.isEmpty();
        if (runsNow) {
            // Before the write: from the commit on, the sweeper may see the row and must know that it is alive.
            live.add(run.id());
        }
        return journal.write(admission)
                .onTermination()
                .invoke(span::end)
                .onItemOrFailure()
                .transformToUni((effective, failure) -> {
                    if (failure != null) {
                        visit.notAdmitted();
                        if (work.isPresent()) {
                            return perhapsQueued(run, admission, chain, visit, failure);
                        }
                        live.notBegun(run.id());
                        return answer(admissionFailed(run, failure));
                    }
                    if (!effective) {
                        live.remove(run.id());
                        return overtaken(run, claim.orElseThrow(), visit);
                    }
                    visit.admitted();
                    if (work.isPresent()) {
                        return answer(submissions.queued(run));
                    }
                    return switch (run.decision()) {
                        case Decision.Deny deny -> {
                            metrics.finished(run.target(), ExecutionStatus.DENIED, run.elapsed());
                            yield answer(answers.denied(run, deny));
                        }
                        case Decision.Allow allow -> hydrate(run, allow, chain, visit);
                    };
                });
    }

    private static AuditEvent.OfExecution admitted(Run run, Optional<QueuedWork> work) {
        return work.<AuditEvent.OfExecution>map(queued -> new AuditEvent.ExecutionQueued(
                        run.id(),
                        queued.wishes().priority(),
                        queued.readyAt(),
                        queued.retry().attemptsMax(),
                        queued.callback().map(wish -> wish.url().host())))
                .orElseGet(() -> new AuditEvent.ExecutionAdmitted(run.id()));
    }

    /**
     * A commit that was not heard is asked for: what is in the queue will run, and its caller must not be told that it does not. Without a key of its
     * caller's it must not be there later either, as the caller sends the request again.
     */
    private Uni<ExecutionAnswer> perhapsQueued(
            Run run, Admission admission, AuditChain chain, Visit visit, Throwable failure) {
        if (Withdrawals.surelyNotAdmitted(failure)) {
            return answer(admissionFailed(run, failure));
        }
        if (admission.claim().isPresent() && !visit.manner().once()) {
            return positions
                    .apply(run.id())
                    .map(_ -> submissions.queued(run))
                    .onFailure()
                    .recoverWithItem(() -> admissionNotKnown(
                            run,
                            failure,
                            refuseForNow(
                                    ErrorCode.ADMISSION_UNAVAILABLE,
                                    "Whether the execution was queued is not known. Send the request again with its key:"
                                            + " then it is queued once.")));
        }
        List<AuditRecord> records = new ArrayList<>(admission.records());
        records.add(chain.append(queuedEnds.withdrawn(run.id())));
        return withdrawals
                .withdraw(admission.withdrawn(records, chain.position()))
                .map(known -> switch (known) {
                    case WITHDRAWN -> admissionFailed(run, failure);
                    case QUEUED -> submissions.queued(run);
                    case NOTHING ->
                        admissionNotKnown(
                                run,
                                failure,
                                new ExecutionAnswer.Refused(
                                        ErrorCode.EXECUTION_LOST,
                                        "Whether the execution " + run.id()
                                                + " was queued is not known. If it was and has not begun, it is withdrawn;"
                                                + " its record, if there is one, says what became of it.",
                                        Optional.empty()));
                });
    }

    private ExecutionAnswer admissionNotKnown(Run run, Throwable failure, ExecutionAnswer answer) {
        LOG.warnf(failure, "whether %s was queued is not known", run.id());
        metrics.admissionFailed();
        return answer;
    }

    private ExecutionAnswer admissionFailed(Run run, Throwable failure) {
        LOG.warnf(failure, "admission of %s failed, nothing ran", run.id());
        metrics.admissionFailed();
        return refuseForNow(
                ErrorCode.ADMISSION_UNAVAILABLE, "The execution could not be recorded, so it did not run. Try again.");
    }

    // 5 run

    Uni<ExecutionAnswer> hydrate(Run run, Decision.Allow allow, AuditChain chain, Visit visit) {
        int timeoutMs = Math.min(
                run.request().timeoutMs(), allow.obligations().timeoutMs().orElse(Integer.MAX_VALUE));
        Span span = tracer.spanBuilder("plane.worker")
                .setParent(run.caller().trace())
                .startSpan();
        ExecutionTrail trail = new ExecutionTrail(run.id(), chain, journal);
        WorkerRecord worker =
                new WorkerRecord(limits.logLinesMax(), event -> trail.record(WorkerCall.recorded(run.id(), event)));
        visit.stream()
                .ifPresent(stream ->
                        readers.enter(run.caller(), stream.events(), now -> decision(run, now), stream::refuse));
        CallingExecution calling = new RunningCaller(
                run.id(), run.caller().trace().with(span), trail, worker, visit.stream(), limits.streamCharsMax());
        return workerApi
                .open(WorkerCall.opening(run, timeoutMs, calling))
                .chain(session -> outcome(run, WorkerCall.of(run, timeoutMs, envelopes, session), allow, worker, visit)
                        .invoke(() -> session.ifPresent(WorkerApi.Session::close)))
                .chain(outcome -> {
                    span.setAttribute("plane.worker", worker.id());
                    if (outcome instanceof ExecutionOutcome.Ended ended) {
                        span.setStatus(StatusCode.ERROR, ended.code().name());
                    }
                    span.end();
                    visit.ended();
                    return closing.close(run, outcome, worker, trail, visit);
                });
    }

    /** What the policy would say if the same caller asked for the same now. */
    private Decision decision(Run run, Caller now) {
        return decision(
                now,
                run.request(),
                run.target(),
                envelopes.text(run.request().arguments()),
                run.argumentsDigest(),
                clock.instant());
    }

    /** Never fails: once admitted, an execution has an end, also when the hydrator breaks its promises. */
    private Uni<ExecutionOutcome> outcome(
            Run run, HydrationRequest request, Decision.Allow allow, WorkerRecord worker, Visit visit) {
        return Uni.createFrom()
                .completionStage(() -> {
                    RunningExecution running = hydrator.run(request, allow, listener(run, worker, visit));
                    live.running(run.id(), run.decision().id(), running);
                    visit.then(running::cancel);
                    return running.outcome();
                })
                .onFailure()
                .recoverWithItem(failure -> {
                    LOG.errorf(failure, "the hydrator failed on %s", run.id());
                    return new ExecutionOutcome.Ended(ErrorCode.INTERNAL, ErrorCode.INTERNAL.title(), Usage.NONE);
                });
    }

    private static WorkerListener listener(Run run, WorkerRecord worker, Visit visit) {
        return visit.stream()
                .<WorkerListener>map(stream -> new StreamedRecord(run.id(), worker, stream))
                .orElse(worker);
    }

    private Uni<ExecutionAnswer> answer(ExecutionAnswer answer) {
        return Uni.createFrom().item(answer);
    }
}
