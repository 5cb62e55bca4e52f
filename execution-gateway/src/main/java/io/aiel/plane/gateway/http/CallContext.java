package io.aiel.plane.gateway.http;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.CallingExecution;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.context.Context;
import io.vertx.core.net.SocketAddress;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.context.RequestScoped;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who calls, about which project, under which request and trace. Filled once by the filter before the resource method runs;
 * resource methods only read. One per request; belongs to the request's event loop.
 */
@RequestScoped
public class CallContext {
    private final RoutingContext routing;
    private @Nullable Principal principal;
    private @Nullable WorkspaceId workspace;
    private @Nullable ProjectScope scope;
    private @Nullable CallingExecution execution;
    private @Nullable Set<String> declaredActions;

    CallContext(RoutingContext routing) {
        this.routing = routing;
    }

    /** Sets who calls and what about; for the filter alone. Throws {@link IllegalStateException} when called twice. */
    public void establish(Principal who, Optional<WorkspaceId> aboutWorkspace, Optional<ProjectScope> about) {
        if (principal != null) {
            throw new IllegalStateException("the caller of a request is established once");
        }
        principal = Objects.requireNonNull(who, "who");
        workspace = aboutWorkspace.orElse(null);
        scope = about.orElse(null);
    }

    /** Says that the code of an execution calls; for the filter alone. */
    public void fromInside(CallingExecution running, Optional<Set<String>> declared) {
        execution = Objects.requireNonNull(running, "running");
        declaredActions = declared.orElse(null);
    }

    /** The execution whose code calls; empty when the call comes from outside. */
    public Optional<CallingExecution> execution() {
        return Optional.ofNullable(execution);
    }

    /** The span that those of what is done are children of: of the execution whose code calls, else of this request. */
    public Context trace() {
        return execution().map(CallingExecution::trace).orElseGet(Context::current);
    }

    /** All that the code that calls may have done by integrations, as its capability says; empty when nothing limits it so. */
    public Optional<Set<String>> declaredActions() {
        return Optional.ofNullable(declaredActions);
    }

    /** Who calls, with the roles that hold for {@link #scope()}. Throws when the method is {@link Tokenless}. */
    public Principal principal() {
        if (principal == null) {
            throw new IllegalStateException("this request has no authenticated caller");
        }
        return principal;
    }

    /** The project of the path. Throws {@link IllegalStateException} when the path names none: a mistake of ours. */
    public ProjectScope scope() {
        if (scope == null) {
            throw new IllegalStateException("the path of this call names no project");
        }
        return scope;
    }

    /** The project of the path, if it names one. */
    public Optional<ProjectScope> projectScope() {
        return Optional.ofNullable(scope);
    }

    /** The workspace of the path, if it names one. */
    public Optional<WorkspaceId> workspace() {
        return Optional.ofNullable(workspace);
    }

    /** The caller's {@code X-Request-Id} when it was sane, else ours. */
    public String requestId() {
        return RequestIds.of(routing);
    }

    /** The W3C trace context of this request: of its span, or, where nothing is traced, the caller's trace or one of our own. */
    public String traceparent() {
        SpanContext span = Span.current().getSpanContext();
        if (span.isValid()) {
            return "00-" + span.getTraceId() + "-" + span.getSpanId() + "-"
                    + span.getTraceFlags().asHex();
        }
        return RequestIds.traceparent(routing);
    }

    /** The trace id, 32 hex digits. */
    public String traceId() {
        return traceparent().substring(3, 35);
    }

    /** The peer's address, without port; empty text when not known. Forwarding headers are not believed. */
    public String sourceAddress() {
        SocketAddress peer = routing.request().remoteAddress();
        return peer == null || peer.hostAddress() == null ? "" : peer.hostAddress();
    }

    /** Who asks for an execution, and in which context. Throws {@link IllegalStateException} when the path names no project. */
    public Caller caller() {
        return new Caller(
                principal(),
                scope(),
                requestId(),
                traceparent(),
                traceId(),
                sourceAddress(),
                routing.request().scheme() + "://" + routing.request().authority(),
                Context.current());
    }

    /** What the records of this call carry. */
    public AuditContext auditContext() {
        Principal who = principal();
        return new AuditContext(
                who.tenant(),
                workspace(),
                projectScope().map(ProjectScope::project),
                Optional.of(who.id()),
                requestId(),
                traceparent());
    }
}
