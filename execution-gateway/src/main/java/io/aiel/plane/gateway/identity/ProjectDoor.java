package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.http.ProblemMappers;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.List;
import java.util.Optional;

/**
 * Lets calls about a project in that come by no resource method: the same tokens, the same projects and the same decisions as
 * {@link ActionFilter}. Thread-safe; call from an event loop.
 */
@Singleton
public final class ProjectDoor {
    private final Authentication authentication;
    private final Directory directory;
    private final ActionDecisions decisions;
    private final Clock clock;

    ProjectDoor(Authentication authentication, Directory directory, ActionDecisions decisions, Clock clock) {
        this.authentication = authentication;
        this.directory = directory;
        this.decisions = decisions;
        this.clock = clock;
    }

    /** Whoever holds a valid token; what he may do depends on where. */
    public static final class Holder {
        private final Caller caller;

        private Holder(Caller caller) {
            this.caller = caller;
        }
    }

    /** A caller within a project. */
    public record Inside(Principal principal, ProjectScope scope) {
        /** What the records of a call carry. */
        public AuditContext auditContext(String requestId, String traceparent) {
            return new AuditContext(
                    principal.tenant(),
                    Optional.of(scope.workspace()),
                    Optional.of(scope.project()),
                    Optional.of(principal.id()),
                    requestId,
                    traceparent);
        }
    }

    /**
     * What a call wants.
     *
     * @param workspace an id or a slug, as it came
     * @param project an id or a slug, as it came
     * @param action what the policy is asked about; empty when whatever the call leads to asks it
     * @param resource the id of what the call is about; empty text for the project itself
     */
    public record Wish(
            String workspace,
            String project,
            Optional<String> action,
            String resource,
            String sourceAddress,
            String traceparent,
            String requestId) {}

    /** Whose token was sent by these headers; fails as {@code UNAUTHENTICATED} when it is nobody's. */
    public Uni<Holder> recognise(List<String> apiTokens, List<String> authorizations) {
        return authentication
                .authenticate(apiTokens, authorizations)
                .map(caller -> caller.map(Holder::new).orElseThrow(ProblemMappers::unauthenticated));
    }

    /** The caller in the project; fails with a {@link Refusal} when he may not know of it, or may not do this in it. */
    public Uni<Inside> enter(Holder holder, Wish wish) {
        return directory
                .project(holder.caller.tenant(), wish.workspace(), wish.project())
                .map(found -> found.filter(scope -> holder.caller.maySee(scope.workspace(), scope.project()))
                        .map(scope -> new Inside(holder.caller.inProject(scope), scope))
                        .orElseThrow(Refusal::notFound))
                .call(inside -> wish.action()
                        .<Uni<?>>map(action -> decisions.decide(
                                question(inside, action, wish),
                                inside.auditContext(wish.requestId(), wish.traceparent())))
                        .orElseGet(() -> Uni.createFrom().voidItem()));
    }

    private PolicyInput question(Inside inside, String action, Wish wish) {
        return new PolicyInput(
                inside.principal(),
                action,
                Optional.of(inside.scope()),
                Optional.empty(),
                ActionFilter.cut(
                        wish.resource().isEmpty() ? inside.scope().project().value() : wish.resource()),
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                0,
                clock.instant(),
                wish.sourceAddress(),
                wish.traceparent().substring(3, 35),
                wish.requestId(),
                Optional.of(inside.scope().workspace()));
    }
}
