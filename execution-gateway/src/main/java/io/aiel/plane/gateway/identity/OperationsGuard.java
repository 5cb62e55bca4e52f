package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.ProblemMappers;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Role;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Set;

/**
 * Stands before everything that is not under {@code /v1/}: metrics, OpenAPI, the overview of health checks and whatever an
 * extension adds. Open without a token are liveness, readiness and the metadata of protected resources, spelt exactly so; all else takes
 * a token with the scope {@code platform.*} and the role operator or admin, because it shows what concerns all tenants.
 *
 * <p>It decides on the path as the router has normalised it, the same text that routes are matched with, so no spelling is
 * seen differently here and there. What it lets through under {@code /v1/} is guarded again by {@link ActionFilter}.
 */
@Singleton
final class OperationsGuard {
    private static final Set<String> OPEN = Set.of("/q/health/live", "/q/health/ready");
    private static final String API = "/v1/";

    /** What RFC 9728 has told to whoever has no token yet. */
    private static final String PROTECTED_RESOURCES = "/.well-known/oauth-protected-resource/v1/";

    private static final int AFTER_REQUEST_ID = 9_000;

    private final RequestCallers callers;

    OperationsGuard(RequestCallers callers) {
        this.callers = callers;
    }

    void register(@Observes Filters filters) {
        filters.register(this::guard, AFTER_REQUEST_ID);
    }

    private void guard(RoutingContext routing) {
        String sent = routing.request().path();
        String normalised = routing.normalizedPath();
        boolean open = sent != null
                && sent.equals(normalised)
                && (OPEN.contains(sent) || sent.startsWith(PROTECTED_RESOURCES));
        if (normalised.startsWith(API) || open) {
            routing.next();
            return;
        }
        // The body, if any, must wait until it is known who sends it.
        routing.request().pause();
        var _ = callers.of(routing)
                .map(caller -> caller.orElseThrow(ProblemMappers::unauthenticated))
                .invoke(OperationsGuard::check)
                .subscribe()
                .with(_ -> letThrough(routing), failure -> refuse(routing, failure));
    }

    private static void letThrough(RoutingContext routing) {
        routing.request().resume();
        routing.next();
    }

    private static void check(Caller caller) {
        Set<Role> roles = caller.rolesInTenant();
        if (!Scopes.covers(caller.scopes(), Scopes.PLATFORM)
                || !(roles.contains(Role.OPERATOR) || roles.contains(Role.ADMIN))) {
            throw new Refusal(
                    ErrorCode.PERMISSION_DENIED,
                    "This needs a token with the scope platform.* and the role operator or admin.");
        }
    }

    private static void refuse(RoutingContext routing, Throwable failure) {
        routing.request().resume();
        if (failure instanceof Refusal refusal) {
            Problems.write(routing, refusal);
        } else {
            routing.fail(failure);
        }
    }
}
