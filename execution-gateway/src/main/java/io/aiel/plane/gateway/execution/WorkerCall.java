package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.registry.HttpRoutes;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.ExecutionId;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What a worker is asked, and how what it does outside is recorded. */
final class WorkerCall {
    private WorkerCall() {}

    /** Whose code wants to ask the API. */
    static WorkerApi.Opening opening(Run run, int timeoutMs, CallingExecution execution) {
        return new WorkerApi.Opening(execution, run.caller(), declaredActions(run), Duration.ofMillis(timeoutMs));
    }

    /** The SDK's decorators of flows and HTTP handlers have no place for it; what has one and says nothing does nothing. */
    private static Optional<Set<String>> declaredActions(Run run) {
        return run.target()
                .capability()
                .map(capability -> switch (capability.ref().kind()) {
                    case FLOW, HTTP -> Optional.<Set<String>>empty();
                    case TOOL, AGENT, ROUTER, MCP -> Optional.of(Set.copyOf(capability.allowedActions()));
                })
                .orElse(Optional.of(Set.of()));
    }

    /**
     * @param timeoutMs what the policy left of the caller's wish
     * @param session what its code may ask the API with
     */
    static HydrationRequest of(Run run, int timeoutMs, Envelopes envelopes, Optional<WorkerApi.Session> session) {
        return new HydrationRequest(
                run.id(),
                run.target(),
                envelopes.text(document(run, timeoutMs)),
                Duration.ofMillis(timeoutMs),
                environment(run, session),
                run.request().wantsNetwork(),
                run.request().wantsSubprocess(),
                run.attempt().isPresent(),
                session.map(WorkerApi.Session::access));
    }

    private static ObjectNode document(Run run, int timeoutMs) {
        ObjectNode document = run.request().document().deepCopy();
        ObjectNode ctx = document.putObject("ctx");
        ctx.put("request_id", run.requestId());
        ctx.put("tenant_id", run.caller().scope().tenant().value());
        ctx.put("workspace_id", run.caller().scope().workspace().value());
        ctx.put("project_id", run.caller().scope().project().value());
        ctx.put("user_id", run.caller().principal().id().value());
        run.target()
                .capability()
                .flatMap(Capability::path)
                .ifPresent(route ->
                        route(ctx, route, document.path("http").path("path").asText()));
        ObjectNode meta = document.putObject("meta");
        meta.put("request_id", run.requestId());
        meta.put("trace_id", run.caller().traceId());
        meta.put("timeout_ms", timeoutMs);
        run.request().idempotencyKey().ifPresent(key -> meta.put("idempotency_key", key));
        return document;
    }

    /** The worker runs the handler that was decided on, and not the one that it would find itself. */
    private static void route(ObjectNode ctx, String route, String path) {
        ObjectNode http = ctx.putObject("http");
        http.put("route", route);
        ObjectNode parameters = http.putObject("path_params");
        HttpRoutes.parameters(route, path).forEach(parameters::put);
    }

    /** What the SDK looks for (wire contract, section Inside a worker); never a credential of the caller's. */
    private static Map<String, String> environment(Run run, Optional<WorkerApi.Session> session) {
        Caller caller = run.caller();
        Map<String, String> environment = new HashMap<>();
        environment.put("AIEL_WORKSPACE_ID", caller.scope().workspace().value());
        environment.put("AIEL_PROJECT_ID", caller.scope().project().value());
        environment.put("AIEL_BASE_URL", caller.baseUrl());
        environment.put(
                "AIEL_EXECUTE_URL",
                caller.baseUrl() + "/v1/workspaces/" + caller.scope().workspace() + "/projects/"
                        + caller.scope().project() + "/executions");
        session.ifPresent(given -> environment.putAll(given.environment()));
        return environment;
    }

    static AuditEvent.OfExecution recorded(ExecutionId id, EgressEvent event) {
        return switch (event) {
            case EgressEvent.Allowed allowed ->
                new AuditEvent.EgressAllowed(
                        id, allowed.connection(), allowed.host(), allowed.port(), allowed.scheme(), allowed.address());
            case EgressEvent.Refused refused ->
                new AuditEvent.EgressRefused(
                        id,
                        refused.connection(),
                        refused.host(),
                        refused.port(),
                        refused.reason().wireName(),
                        refused.detail());
            case EgressEvent.Closed closed ->
                new AuditEvent.EgressClosed(
                        id,
                        closed.connection(),
                        closed.host(),
                        closed.port(),
                        closed.how().wireName(),
                        closed.bytesSent(),
                        closed.bytesReceived(),
                        closed.openFor().toMillis());
        };
    }
}
