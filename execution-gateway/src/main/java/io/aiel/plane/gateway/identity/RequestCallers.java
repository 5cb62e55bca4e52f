package io.aiel.plane.gateway.identity;

import io.smallrye.mutiny.Uni;
import io.vertx.core.MultiMap;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Singleton;
import java.util.Optional;

/**
 * Says who sent an HTTP request. On a connection of an execution's worker that is the execution, by its own token, and nobody else whatever token is sent;
 * on all others it is whom the token belongs to. Thread-safe; call from an event loop.
 */
@Singleton
final class RequestCallers {
    private final Authentication authentication;
    private final ExecutionTokens executions;

    RequestCallers(Authentication authentication, ExecutionTokens executions) {
        this.authentication = authentication;
        this.executions = executions;
    }

    /** Who sent it; empty when that is not proved. Fails as {@link Authentication#authenticate(MultiMap)} does. */
    Uni<Optional<Caller>> of(RoutingContext routing) {
        MultiMap headers = routing.request().headers();
        return execution(routing)
                .map(inside -> executions.authenticate(
                        inside,
                        Authentication.presented(
                                headers.getAll(Authentication.API_TOKEN),
                                headers.getAll(Authentication.AUTHORIZATION))))
                .orElseGet(() -> authentication.authenticate(headers));
    }

    /** The execution whose worker the connection is from, whatever was sent on it. Looks at the connection and not at what a proxy may say of it. */
    Optional<ExecutionTokens.Inside> execution(RoutingContext routing) {
        return executions.on(routing.request().connection().remoteAddress());
    }
}
