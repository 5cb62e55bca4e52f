package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.gateway.execution.Executions;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Refuses an execution that will find no place before its body is read and the framework is woken: under overload that is what most
 * requests come to, and each costs a fraction this way. Only for a sender who was recognised a moment ago and may know of the project:
 * everybody else hears the same as ever. Runs on the event loop.
 */
@Singleton
final class EarlyRefusals {
    private static final int AFTER_BODIES = 9_400;
    private static final Pattern EXECUTIONS = Pattern.compile("/v1/workspaces/([^/]+)/projects/([^/]+)/executions");

    private final RememberedProjects remembered;
    private final Executions executions;

    EarlyRefusals(RememberedProjects remembered, Executions executions) {
        this.remembered = remembered;
        this.executions = executions;
    }

    void register(@Observes Filters filters) {
        filters.register(this::guard, AFTER_BODIES);
    }

    private void guard(RoutingContext routing) {
        Optional<ExecutionAnswer.Refused> refusal = refusal(routing);
        if (refusal.isPresent()) {
            Problems.write(routing, ExecutionCalls.refusal(refusal.get()));
        } else {
            routing.next();
        }
    }

    private Optional<ExecutionAnswer.Refused> refusal(RoutingContext routing) {
        // A spelling that only normalisation makes this path goes the ordinary way.
        Matcher path = EXECUTIONS.matcher(routing.request().path());
        // What is queued needs no place.
        if (!routing.request().method().equals(HttpMethod.POST)
                || !path.matches()
                || routing.request().headers().contains(Preferences.HEADER)) {
            return Optional.empty();
        }
        return remembered
                .project(routing.request(), path.group(1), path.group(2))
                .flatMap(scope -> executions.service().refusal(scope.project()));
    }
}
