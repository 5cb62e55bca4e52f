package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.smallrye.mutiny.Uni;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;

/**
 * Lets browsers' pages of the origins that a project allows call its HTTP handlers (the Fetch standard, section CORS protocol). It
 * answers the questions that browsers ask before a call, which come without a token, and runs nothing for them. Never with
 * credentials of the browser's own: the token is sent by the page. What it does not allow is answered alike whether the project is there
 * or not. Runs on the event loop.
 */
@Singleton
final class CrossOrigin {
    private static final Logger LOG = Logger.getLogger(CrossOrigin.class);
    private static final int AFTER_STRICT_REQUESTS = 9_400;

    /** Whoever asks has no token, so many at once must not take the database from those who have. */
    private static final int LOOKUPS_MAX = 16;

    private static final Pattern HANDLER =
            Pattern.compile("/v1/workspaces/(ws_[0-9a-f]{32})/projects/(proj_[0-9a-f]{32})/http(?:/.*)?");

    private static final String METHODS = "GET, HEAD, POST, PUT, PATCH, OPTIONS";
    private static final String HEADERS =
            "Authorization, X-API-Token, Content-Type, Accept, Idempotency-Key, Aiel-Environment, X-Request-Id, traceparent";
    private static final String EXPOSED =
            "Aiel-Execution-Id, Idempotency-Replayed, Retry-After, X-Request-Id, Location, Allow";
    private static final String REMEMBERED_SECONDS = "600";

    private final ProjectSettings settings;
    private final Semaphore lookups = new Semaphore(LOOKUPS_MAX);

    CrossOrigin(ProjectSettings settings) {
        this.settings = settings;
    }

    void register(@Observes Filters filters) {
        filters.register(this::check, AFTER_STRICT_REQUESTS);
    }

    private void check(RoutingContext routing) {
        HttpServerRequest request = routing.request();
        String origin = request.getHeader("Origin");
        // The path that routes are matched with: no spelling of it is a handler's here and another call's there.
        Matcher handler = HANDLER.matcher(routing.normalizedPath());
        if (origin == null || !handler.matches()) {
            routing.next();
            return;
        }
        // The body, if any, must wait until it is known what the answer carries.
        request.pause();
        var _ = allowed(asks(request), new WorkspaceId(handler.group(1)), new ProjectId(handler.group(2)))
                .subscribe()
                .with(allowed -> decided(routing, origin, allowed.contains(origin)), failure -> {
                    LOG.warnf("the origins of a project cannot be looked up: %s", failure.toString());
                    decided(routing, origin, false);
                });
    }

    /** A call itself brings a token, which is looked up next. */
    private Uni<Set<String>> allowed(boolean asks, WorkspaceId workspace, ProjectId project) {
        if (!asks) {
            return settings.origins(workspace, project);
        }
        if (!lookups.tryAcquire()) {
            return Uni.createFrom().item(Set.of());
        }
        return settings.origins(workspace, project).onTermination().invoke(lookups::release);
    }

    /** Whether a browser asks whether a page may call, and does not call yet. */
    private static boolean asks(HttpServerRequest request) {
        return request.method().name().equals("OPTIONS") && request.getHeader("Access-Control-Request-Method") != null;
    }

    private static void decided(RoutingContext routing, String origin, boolean allowed) {
        HttpServerRequest request = routing.request();
        request.resume();
        HttpServerResponse response = routing.response();
        response.putHeader("Vary", "Origin");
        if (allowed) {
            response.putHeader("Access-Control-Allow-Origin", origin)
                    .putHeader("Access-Control-Expose-Headers", EXPOSED);
        }
        if (!asks(request)) {
            routing.next();
        } else if (allowed) {
            var _ = response.setStatusCode(204)
                    .putHeader("Access-Control-Allow-Methods", METHODS)
                    .putHeader("Access-Control-Allow-Headers", HEADERS)
                    .putHeader("Access-Control-Max-Age", REMEMBERED_SECONDS)
                    .end();
        } else {
            Problems.write(
                    routing,
                    new Refusal(
                            ErrorCode.PERMISSION_DENIED,
                            "Pages of this origin may not call here; a project's settings name the origins whose pages may."));
        }
    }
}
