package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.gateway.loops.EventLoops;
import io.aiel.plane.gateway.overload.Entry;
import io.aiel.plane.gateway.overload.Place;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Begins a queued execution that this server has claimed: waits for its turn, takes a place, looks up what its caller may do now, decides again, puts the start on
 * record, and goes on as every execution does ({@link ExecutionService#hydrate}). Whoever lost the right meanwhile gets a denial, on record.
 *
 * <p>Thread-safe; waits for nothing.
 */
final class QueuedRuns {
    private static final Logger LOG = Logger.getLogger(QueuedRuns.class);
    private static final String NO_LONGER_VALID =
            "the token that the execution was asked for with is no longer valid, or not for this project";

    private final ExecutionService service;
    private final Entrance entrance;
    private final TokenStanding standing;
    private final CapabilityRegistry registry;
    private final ExecutionJournal journal;
    private final AuditCodec codec;
    private final LiveExecutions live;
    private final Envelopes envelopes;
    private final QueuedEnds ends;
    private final Withdrawals withdrawals;
    private final Clock clock;
    private final int timeoutMsMax;

    @SuppressWarnings("TooManyParameters") // It joins the same parts as ExecutionService.
    QueuedRuns(
            ExecutionService service,
            Entrance entrance,
            TokenStanding standing,
            CapabilityRegistry registry,
            ExecutionJournal journal,
            AuditCodec codec,
            LiveExecutions live,
            Envelopes envelopes,
            QueuedEnds ends,
            Withdrawals withdrawals,
            Clock clock,
            int timeoutMsMax) {
        this.service = service;
        this.entrance = entrance;
        this.standing = standing;
        this.registry = registry;
        this.journal = journal;
        this.codec = codec;
        this.live = live;
        this.envelopes = envelopes;
        this.ends = ends;
        this.withdrawals = withdrawals;
        this.clock = clock;
        this.timeoutMsMax = timeoutMsMax;
    }

    /** What came of it. */
    enum Begun {
        /** It ran, or ended without; or recovery has to see what became of it. The claim is of no use any more. */
        OVER,
        /** Its turn did not come in time, so nothing was done; to be given back as it was. */
        LATE,
        /** It has not begun and surely will not by this; to be given back. */
        NOT_NOW
    }

    /** When it may have a worker, and when it needs none any more. */
    interface Turn {
        /** True when it may have a worker now; false when that did not come in time. Asked once at most. */
        Uni<Boolean> come();

        /** Whether it has the last place that there is, so that others cannot begin before it is over. */
        boolean holdsUpOthers();

        /** Its worker is free again, and only its end is still to be recorded. */
        void codeEnded();
    }

    /** Begins it; the item comes when this server is done with it. Never fails. */
    Uni<Begun> begin(QueuedExecution queued, Turn turn) {
        return EventLoops.goOnHere(turn.come())
                .chain(come -> come ? begun(queued, turn) : Uni.createFrom().item(Begun.LATE));
    }

    private Uni<Begun> begun(QueuedExecution queued, Turn turn) {
        if (service.refuseWhenUnable().isPresent()) {
            return Uni.createFrom().item(Begun.NOT_NOW);
        }
        Uni<Begun> begun = withdrawals.isDue(queued.id()) && !queued.hasBegun()
                ? end(ends.withdrawn(queued))
                : entrance.enter(queued.scope().project()).chain(entry -> switch (entry) {
                    case Entry.Refused _ -> Uni.createFrom().item(Begun.NOT_NOW);
                    case Place place -> inside(place, queued, turn);
                });
        return begun.onFailure().recoverWithItem(failure -> {
            LOG.warnf("%s could not begin (%s) and waits again", queued.id(), failure);
            return Begun.NOT_NOW;
        });
    }

    private Uni<Begun> inside(Place place, QueuedExecution queued, Turn turn) {
        Visit visit = new Visit(System::nanoTime);
        visit.hasTurn(turn);
        visit.outlivesItsClient();
        visit.entered(place);
        return standing.now(queued.holder().tokenId(), queued.scope())
                .chain(principal -> read(queued, principal, visit))
                .onTermination()
                .invoke(visit::over);
    }

    private Uni<Begun> read(QueuedExecution queued, Optional<Principal> principal, Visit visit) {
        return switch (new RunnerRequestReader(timeoutMsMax)
                .read(envelopes.read(queued.input()), queued.idempotencyKey())) {
            case RunnerRequestReader.Result.Invalid(var errors) ->
                end(ends.failed(
                        queued,
                        ErrorCode.VALIDATION_ERROR,
                        "The request is not valid any more: "
                                + errors.getFirst().message()));
            case RunnerRequestReader.Result.Read(var request) ->
                registry.resolve(
                                queued.scope(),
                                new Target.Snapshot(queued.snapshot().digest()),
                                request.capability())
                        .chain(resolution -> resolved(queued, principal, request, resolution, visit));
        };
    }

    private Uni<Begun> resolved(
            QueuedExecution queued,
            Optional<Principal> principal,
            RunnerRequest request,
            Resolution resolution,
            Visit visit) {
        return switch (resolution) {
            // It runs from the snapshot that it was admitted for; the environment is how that was found, and policies
            // see it.
            case Resolution.Found(var found) ->
                decide(
                        queued,
                        principal,
                        request,
                        new ResolvedCapability(
                                found.scope(),
                                queued.environment(),
                                found.snapshot(),
                                found.bundle(),
                                found.capability()),
                        visit);
            case Resolution.ValidationUnavailable _ -> Uni.createFrom().item(Begun.NOT_NOW);
            case Resolution.NothingDeployed _, Resolution.UnknownSnapshot _, Resolution.UnknownCapability _ ->
                end(ends.failed(
                        queued,
                        ErrorCode.NOT_FOUND,
                        "The snapshot that the execution was queued for is not there any more."));
        };
    }

    private Uni<Begun> decide(
            QueuedExecution queued,
            Optional<Principal> principal,
            RunnerRequest request,
            ResolvedCapability target,
            Visit visit) {
        Decision decision = decision(queued, principal, request, target);
        if (principal.isEmpty() || !(decision instanceof Decision.Deny deny) || deny.undecided()) {
            return decided(queued, principal, request, target, decision, visit);
        }
        // A denial is its end, and what this server remembers may be older than a right that it was queued with.
        return standing.afresh(queued.holder().tokenId(), queued.scope())
                .chain(now -> decided(queued, now, request, target, decision(queued, now, request, target), visit));
    }

    private Decision decision(
            QueuedExecution queued, Optional<Principal> principal, RunnerRequest request, ResolvedCapability target) {
        Decision decision = service.decision(
                queued.caller(principal.orElse(queued.holder())),
                request,
                target,
                envelopes.text(request.arguments()),
                queued.argumentsDigest(),
                clock.instant());
        return principal.isPresent() ? decision : denial(decision);
    }

    private Uni<Begun> decided(
            QueuedExecution queued,
            Optional<Principal> principal,
            RunnerRequest request,
            ResolvedCapability target,
            Decision decision,
            Visit visit) {
        return switch (decision) {
            // No decision could be had, as right after a start: it does not run, and is not at its end for that.
            case Decision.Deny deny when deny.undecided() -> Uni.createFrom().item(Begun.NOT_NOW);
            case Decision.Deny deny -> end(ends.denied(queued, deny));
            case Decision.Allow allow ->
                start(
                        new Run(
                                queued.id(),
                                queued.caller(principal.orElse(queued.holder())),
                                request,
                                target,
                                allow,
                                queued.argumentsDigest(),
                                Optional.of(queued.attempt()),
                                clock.instant(),
                                System.nanoTime()),
                        allow,
                        AuditChain.resume(codec, queued.auditContext(), queued.position()),
                        visit);
        };
    }

    /** Whatever a policy makes of a principal without roles and scopes: a token that is not valid allows nothing. */
    private static Decision denial(Decision decision) {
        List<String> reasons = new ArrayList<>(List.of(NO_LONGER_VALID));
        reasons.addAll(decision.reasons());
        return new Decision.Deny(decision.id(), decision.policyDigest(), decision.input(), reasons, false);
    }

    private Uni<Begun> start(Run run, Decision.Allow allow, AuditChain chain, Visit visit) {
        List<AuditRecord> records = List.of(
                chain.append(new AuditEvent.PolicyDecided(run.id(), envelopes.recorded(allow))),
                chain.append(new AuditEvent.ExecutionAdmitted(run.id())));
        Start start = new Start(run.id(), allow, run.requestedAt(), visit.holdsUpOthers(), records, chain.position());
        // Before the write: from the commit on, the sweeper may see the row and must know that it is alive.
        live.add(run.id());
        return EventLoops.goOnHere(journal.write(start)).onItemOrFailure().transformToUni((effective, failure) -> {
            if (failure != null) {
                LOG.warnf(failure, "the start of %s could not be recorded, it did not run", run.id());
                live.notBegun(run.id());
                visit.notAdmitted();
                return Uni.createFrom().item(Begun.OVER);
            }
            if (!effective) {
                // It was cancelled, or the claim has passed to another.
                live.remove(run.id());
                return Uni.createFrom().item(Begun.OVER);
            }
            visit.admitted();
            return service.hydrate(run, allow, chain, visit).replaceWith(Begun.OVER);
        });
    }

    /** Ends those of them that wait; those that begin just then go on, and hear of the wish as all that run do. */
    static Uni<Void> cancel(List<ExecutionId> ids, ExecutionQueue queue, QueuedEnds ends, ExecutionJournal journal) {
        if (ids.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        return queue.waiting(ids)
                .onItem()
                .transformToMulti(Multi.createFrom()::iterable)
                .onItem()
                .transformToUniAndMerge(waiting -> journal.write(ends.cancelled(waiting)))
                .collect()
                .asList()
                .replaceWithVoid();
    }

    /** When another ended it first, it has ended all the same. */
    private Uni<Begun> end(Closure closure) {
        return journal.write(closure).replaceWith(Begun.OVER);
    }
}
