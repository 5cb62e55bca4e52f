package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.ProblemMappers;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.http.Tokenless;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Priorities;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ResourceInfo;
import jakarta.ws.rs.core.MultivaluedMap;
import java.lang.reflect.Method;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerRequestFilter;

/**
 * Stands before every resource method: no token, no method. It looks at the method that was matched, never at the path, so
 * that no spelling of a path gets around it, and a method that says nothing about who may call it is closed.
 */
public class ActionFilter {
    private static final Logger LOG = Logger.getLogger(ActionFilter.class);
    private static final String WORKSPACE = "workspace";
    private static final String PROJECT = "project";
    private static final int RESOURCE_MAX = 512;
    private static final Duration RECORD_LIMIT = Duration.ofSeconds(10);

    private static final Pattern PARAMETER = Pattern.compile("\\{\\s*(\\w+)");

    private final Map<Method, List<String>> parameters = new ConcurrentHashMap<>();

    @Inject
    RequestCallers callers;

    @Inject
    Directory directory;

    @Inject
    ActionDecisions decisions;

    @Inject
    CallContext call;

    @Inject
    CurrentCaller current;

    @Inject
    RoutingContext routing;

    @Inject
    Clock clock;

    /** Lets the request through, or fails with the refusal. */
    @ServerRequestFilter(priority = Priorities.AUTHENTICATION)
    public Uni<Void> guard(ResourceInfo matched, ContainerRequestContext request) {
        Method method = matched.getResourceMethod();
        Optional<ExecutionTokens.Inside> inside = callers.execution(routing);
        if (method.isAnnotationPresent(Tokenless.class) && inside.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        Optional<PlaneAction> action = Optional.ofNullable(method.getAnnotation(PlaneAction.class));
        return callers.of(routing)
                .map(caller -> caller.orElseThrow(ProblemMappers::unauthenticated))
                .invoke(_ -> {
                    if (action.isEmpty()) {
                        LOG.errorf("%s has no @PlaneAction, so nobody may call it", method);
                        throw new Refusal(ErrorCode.PERMISSION_DENIED, "This call is open to nobody.");
                    }
                    if (inside.isPresent()
                            && !ExecutionTokens.ACTIONS.contains(action.get().value())) {
                        throw new Refusal(
                                ErrorCode.PERMISSION_DENIED,
                                "The code of an execution may not do "
                                        + action.get().value()
                                        + "; it may use the memory and the integrations of its project.");
                    }
                })
                .chain(caller -> locate(caller, request.getUriInfo().getPathParameters()))
                .chain(() -> {
                    PlaneAction required = action.orElseThrow();
                    boolean deferred = required.deferred();
                    if (deferred && inside.isEmpty()) {
                        return Uni.createFrom().voidItem();
                    }
                    String asked = required.value();
                    String resource = resource(method, request.getUriInfo().getPathParameters());
                    Uni<Optional<Decision.Allow>> decided = deferred
                            ? Uni.createFrom().item(Optional.empty())
                            : decide(asked, resource).map(Optional::of);
                    return inside.isEmpty()
                            ? decided.replaceWithVoid()
                            : decided.chain(decision -> onRecord(inside.get(), asked, resource, decision));
                });
    }

    /** What code asks for is done once the execution's record says so. */
    private Uni<Void> onRecord(
            ExecutionTokens.Inside execution, String action, String resource, Optional<Decision.Allow> decision) {
        call.fromInside(execution.calling(), execution.declaredActions());
        return Uni.createFrom()
                .completionStage(() -> execution.record(action, resource, decision))
                .ifNoItem()
                .after(RECORD_LIMIT)
                .recoverWithItem(false)
                .invoke(durable -> {
                    if (!durable) {
                        throw new Refusal(
                                        ErrorCode.NOT_READY,
                                        "The call could not be put on the execution's record, so it is not made.")
                                .retryAfter(1);
                    }
                })
                .replaceWithVoid();
    }

    private Uni<Void> locate(Caller caller, MultivaluedMap<String, String> path) {
        current.set(caller);
        String workspace = path.getFirst(WORKSPACE);
        String project = path.getFirst(PROJECT);
        if (workspace == null) {
            call.establish(caller.inTenant(), Optional.empty(), Optional.empty());
            return Uni.createFrom().voidItem();
        }
        if (project == null) {
            return directory
                    .workspace(caller.tenant(), workspace)
                    .map(found -> found.filter(caller::maySee).orElseThrow(Refusal::notFound))
                    .invoke(found -> call.establish(caller.inWorkspace(found), Optional.of(found), Optional.empty()))
                    .replaceWithVoid();
        }
        return directory
                .project(caller.tenant(), workspace, project)
                .map(found -> found.filter(scope -> caller.maySee(scope.workspace(), scope.project()))
                        .orElseThrow(Refusal::notFound))
                .invoke(scope ->
                        call.establish(caller.inProject(scope), Optional.of(scope.workspace()), Optional.of(scope)))
                .replaceWithVoid();
    }

    private Uni<Decision.Allow> decide(String action, String resource) {
        PolicyInput question = new PolicyInput(
                call.principal(),
                action,
                call.projectScope(),
                Optional.empty(),
                resource,
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                0,
                clock.instant(),
                call.sourceAddress(),
                call.traceId(),
                call.requestId(),
                call.workspace());
        return decisions.decide(question, call.auditContext());
    }

    /** What the call is about: the ids in the path beside workspace and project, in their order, else the project, the workspace, the tenant. */
    private String resource(Method method, MultivaluedMap<String, String> path) {
        String ids = parameters.computeIfAbsent(method, ActionFilter::parameters).stream()
                .map(path::getFirst)
                .filter(Objects::nonNull)
                .collect(Collectors.joining("/"));
        if (!ids.isEmpty()) {
            return cut(ids);
        }
        return call.projectScope()
                .map(scope -> scope.project().value())
                .or(() -> call.workspace().map(WorkspaceId::value))
                .orElseGet(() -> call.principal().tenant().value());
    }

    /** No longer than a policy need read. */
    static String cut(String resource) {
        return resource.length() > RESOURCE_MAX ? resource.substring(0, RESOURCE_MAX) : resource;
    }

    /** The names in the templates of its path, in their order, without workspace and project, which a policy is told by themselves. */
    private static List<String> parameters(Method method) {
        return Stream.of(method.getDeclaringClass(), method)
                .filter(element -> element.isAnnotationPresent(Path.class))
                .map(element -> element.getAnnotation(Path.class))
                .flatMap(path -> PARAMETER.matcher(path.value()).results())
                .map(found -> found.group(1))
                .filter(name -> !name.equals(WORKSPACE) && !name.equals(PROJECT))
                .toList();
    }
}
