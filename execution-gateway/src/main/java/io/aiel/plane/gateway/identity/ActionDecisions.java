package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jboss.logging.Logger;

/** Asks the policy whether somebody may do something that runs nothing, and records a denial. Thread-safe; call from an event loop. */
@Singleton
final class ActionDecisions {
    private static final Logger LOG = Logger.getLogger(ActionDecisions.class);

    private final PolicyEngine policy;
    private final ControlJournal journal;

    ActionDecisions(PolicyEngine policy, ControlJournal journal) {
        this.policy = policy;
        this.journal = journal;
    }

    /** The decision that allows it; fails with the {@link Refusal} when it is not allowed, once that is on record. */
    Uni<Decision.Allow> decide(PolicyInput question, AuditContext context) {
        return switch (policy.decide(question)) {
            case Decision.Allow allow -> Uni.createFrom().item(allow);
            case Decision.Deny deny ->
                journal.record(context, new AuditEvent.AccessDenied(question.action(), question.resourceName(), deny))
                        .onFailure()
                        .transform(failure -> unrecorded(failure, question.requestId()))
                        .chain(() -> Uni.createFrom().failure(refusal(question.action(), deny)));
        };
    }

    private static Refusal unrecorded(Throwable failure, String requestId) {
        LOG.errorf(failure, "a denial could not be recorded requestId=%s", requestId);
        return new Refusal(
                        ErrorCode.NOT_READY, "The call was refused, and that could not be recorded; try again shortly.")
                .retryAfter(1);
    }

    private static Refusal refusal(String action, Decision.Deny deny) {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("action", action);
        details.put("reasons", deny.reasons());
        details.put("decision_id", deny.id().value());
        if (deny.undecided()) {
            return new Refusal(
                            ErrorCode.POLICY_UNAVAILABLE,
                            "No valid policy decision about " + action + " could be had, so it is denied.",
                            details)
                    .retryAfter(2);
        }
        return new Refusal(
                ErrorCode.POLICY_DENIED,
                "The policy does not allow " + action + ": " + String.join("; ", deny.reasons()),
                details);
    }
}
