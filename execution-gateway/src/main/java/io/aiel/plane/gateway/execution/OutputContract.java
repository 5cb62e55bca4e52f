package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jboss.logging.Logger;

/**
 * Holds what an execution gave back against what its capability promises. A result that does not fit is recorded as such, and given all
 * the same; in a project that is strict it is withheld. Thread-safe; waits only where something does not fit.
 */
final class OutputContract {
    private static final Logger LOG = Logger.getLogger(OutputContract.class);

    private final ExecutionService.ResultCheck check;
    private final Function<ProjectScope, Uni<Boolean>> strict;
    private final Envelopes envelopes;
    private final Answers answers;

    /**
     * @param check of a result against its capability's output schema
     * @param strict whether the project wants no result that does not fit; asked only then
     */
    OutputContract(
            ExecutionService.ResultCheck check,
            Function<ProjectScope, Uni<Boolean>> strict,
            Envelopes envelopes,
            Answers answers) {
        this.check = check;
        this.strict = strict;
        this.envelopes = envelopes;
        this.answers = answers;
    }

    /** The end as it stands with the contract; never fails. */
    Uni<Answers.End> judge(Run run, ExecutionOutcome outcome, Answers.End end, WorkerRecord worker) {
        Optional<Capability> promised = promise(run);
        if (promised.isEmpty() || end.status() != ExecutionStatus.SUCCEEDED) {
            return Uni.createFrom().item(end);
        }
        List<InputError> errors = errors(promised.get(), end);
        if (errors.isEmpty()) {
            return Uni.createFrom().item(end);
        }
        LOG.warnf(
                "the result does not fit the output schema executionId=%s capability=%s problems=%d",
                run.id(), promised.get().ref(), errors.size());
        worker.log(envelopes.logLine(run, "plane.output_invalid", envelopes.details(errors)));
        return strict.apply(run.caller().scope())
                .onFailure()
                .recoverWithItem(failure -> {
                    // Not known is as strict as can be.
                    LOG.warnf(
                            "whether project %s is strict is not known: %s",
                            run.caller().scope().project(), failure);
                    return true;
                })
                .map(wanted -> wanted
                        ? answers.outputInvalid(run, end, outcome.usage(), worker, errors)
                        : end.withOutputProblems(errors.size()));
    }

    /** The runtime has no promise for HTTP handlers; what is known of their results was derived. */
    private static Optional<Capability> promise(Run run) {
        return run.target()
                .capability()
                .filter(capability -> capability.outputSchema().isPresent()
                        && capability.ref().kind() != CapabilityKind.HTTP);
    }

    private List<InputError> errors(Capability promised, Answers.End end) {
        try {
            return check.check(promised, () -> envelopes.result(end.envelope()));
        } catch (RuntimeException e) {
            // The end must be recorded whatever the worker sent.
            LOG.warnf("a result could not be held against its schema capability=%s: %s", promised.ref(), e.toString());
            return List.of(new InputError("", "the result could not be held against the schema"));
        }
    }
}
