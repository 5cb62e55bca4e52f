package io.aiel.plane.gateway.grpc;

import io.aiel.grpc.plane.v1.CancelExecutionRequest;
import io.aiel.grpc.plane.v1.DescribeRequest;
import io.aiel.grpc.plane.v1.Execution;
import io.aiel.grpc.plane.v1.ExecutionServiceGrpc;
import io.aiel.grpc.plane.v1.GetExecutionRequest;
import io.aiel.grpc.plane.v1.InvokeEvent;
import io.aiel.grpc.plane.v1.InvokeRequest;
import io.aiel.grpc.plane.v1.InvokeResponse;
import io.aiel.grpc.plane.v1.ListExecutionsRequest;
import io.aiel.grpc.plane.v1.ListExecutionsResponse;
import io.aiel.grpc.plane.v1.SubmitRequest;
import io.aiel.grpc.plane.v1.SubmitResponse;
import io.aiel.plane.gateway.execution.ExecutionCancellation.Which;
import io.aiel.plane.gateway.execution.ExecutionQueries;
import io.aiel.plane.gateway.execution.ExecutionWait;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.Manner;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The methods of {@code ExecutionService}. Each leads to the same sequence as over HTTP; nothing is decided here. Thread-safe;
 * called on an event loop and waits for nothing.
 */
final class ExecutionMethods {
    private static final int PAGE = 50;
    private static final int PAGE_MAX = 200;
    private static final String READ = "execution.read";

    private final Executions executions;
    private final RunnerRequests requests;
    private final InvokeAnswers answers;
    private final ExecutionMessages messages;

    ExecutionMethods(Executions executions, JsonValues values) {
        this.executions = executions;
        this.requests = new RunnerRequests(values);
        this.answers = new InvokeAnswers(values);
        this.messages = new ExecutionMessages(values);
    }

    /** Adds all of them. What runs something is decided on with what it runs, as every execution. */
    GuardedService addTo(GuardedService service) {
        return service.unary(
                        ExecutionServiceGrpc.getInvokeMethod(),
                        new Method<>(
                                Optional.empty(),
                                InvokeRequest::getWorkspace,
                                InvokeRequest::getProject,
                                _ -> "",
                                this::invoke))
                .streaming(
                        ExecutionServiceGrpc.getInvokeStreamMethod(),
                        new Method<>(
                                Optional.empty(),
                                InvokeRequest::getWorkspace,
                                InvokeRequest::getProject,
                                _ -> "",
                                this::invokeStream))
                .unary(
                        ExecutionServiceGrpc.getSubmitMethod(),
                        new Method<>(
                                Optional.empty(),
                                submit -> submit.getRequest().getWorkspace(),
                                submit -> submit.getRequest().getProject(),
                                _ -> "",
                                this::submit))
                .unary(
                        ExecutionServiceGrpc.getDescribeMethod(),
                        new Method<>(
                                Optional.empty(),
                                DescribeRequest::getWorkspace,
                                DescribeRequest::getProject,
                                _ -> "",
                                this::describe))
                .unary(
                        ExecutionServiceGrpc.getGetMethod(),
                        new Method<>(
                                Optional.of(READ),
                                GetExecutionRequest::getWorkspace,
                                GetExecutionRequest::getProject,
                                get -> known(get.getExecutionId()),
                                this::get))
                .unary(
                        ExecutionServiceGrpc.getListMethod(),
                        new Method<>(
                                Optional.of(READ),
                                ListExecutionsRequest::getWorkspace,
                                ListExecutionsRequest::getProject,
                                _ -> "",
                                this::list))
                .unary(
                        ExecutionServiceGrpc.getCancelMethod(),
                        new Method<>(
                                Optional.of("execution.cancel"),
                                CancelExecutionRequest::getWorkspace,
                                CancelExecutionRequest::getProject,
                                cancel -> known(cancel.getExecutionId()),
                                this::cancel));
    }

    /** A text that is no id is not put on record. */
    private static String known(String execution) {
        try {
            return ExecutionId.parse(execution).value();
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    private Uni<InvokeResponse> invoke(Call call, InvokeRequest asked) {
        return executions
                .service()
                .execute(call.caller(), requests.invoke(asked, call.left()), key(asked))
                .map(answer -> answers.response(answer, asked.hasInputJson()));
    }

    private static Optional<String> key(InvokeRequest asked) {
        return Optional.of(asked.getIdempotencyKey()).filter(key -> !key.isEmpty());
    }

    private Uni<Streamed<InvokeEvent>> invokeStream(Call call, InvokeRequest asked) {
        return executions.service().stream(
                        call.caller(), requests.invoke(asked, call.left()), key(asked), InvokeAnswers::problem)
                .map(answer -> answers.streamed(answer, asked.hasInputJson()));
    }

    private Uni<SubmitResponse> submit(Call call, SubmitRequest asked) {
        return executions
                .service()
                .execute(call.caller(), requests.submit(asked), key(asked.getRequest()), Manner.QUEUED)
                .map(answers::submitted);
    }

    private Uni<InvokeResponse> describe(Call call, DescribeRequest asked) {
        return executions
                .service()
                .execute(call.caller(), requests.describe(asked, call.left()), Optional.empty())
                .map(answer -> answers.response(answer, false));
    }

    private Uni<Execution> get(Call call, GetExecutionRequest asked) {
        Duration wait = wait(asked);
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(asked.getExecutionId()));
        return executions
                .waiting()
                .find(
                        call.scope(),
                        id,
                        call.inside().principal().id(),
                        call.left().filter(left -> left.compareTo(wait) < 0).orElse(wait))
                .onFailure(ExecutionWait.TooManyWait.class)
                .transform(many -> new Refusal(many.code(), many.detail()).retryAfter(1))
                .map(found -> messages.message(found.orElseThrow(Refusal::notFound)));
    }

    private static Duration wait(GetExecutionRequest asked) {
        Duration wait = Duration.ofMillis(RunnerRequests.millis("wait", asked.getWait()));
        if (wait.isNegative() || wait.compareTo(ExecutionWait.MAX) > 0) {
            throw Refusal.invalid("wait", "must be from 0 to " + ExecutionWait.MAX.toSeconds() + " s");
        }
        return wait;
    }

    private Uni<ListExecutionsResponse> list(Call call, ListExecutionsRequest asked) {
        int rows = asked.getPageSize() == 0 ? PAGE : asked.getPageSize();
        if (rows < 0 || rows > PAGE_MAX) {
            throw Refusal.invalid("page_size", "must be from 1 to " + PAGE_MAX);
        }
        ExecutionQueries.Filter filter = new ExecutionQueries.Filter(
                ExecutionMessages.name(asked.getStatus()),
                Texts.given("capability", asked.getCapability()),
                Texts.given("principal", asked.getPrincipal()),
                Texts.given("request_id", asked.getRequestId()),
                Texts.given("page_token", asked.getPageToken()).map(ExecutionMethods::cursor),
                rows + 1);
        return executions.queries().list(call.scope(), filter).map(found -> page(found, rows));
    }

    private static ExecutionId cursor(String text) {
        try {
            return ExecutionId.parse(text);
        } catch (IllegalArgumentException e) {
            throw Refusal.invalid("page_token", "is not one that this call gave out");
        }
    }

    private ListExecutionsResponse page(List<JsonObject> found, int rows) {
        List<JsonObject> shown = found.size() > rows ? found.subList(0, rows) : found;
        ListExecutionsResponse.Builder page = ListExecutionsResponse.newBuilder();
        shown.forEach(row -> page.addExecutions(messages.message(row)));
        if (found.size() > rows) {
            page.setNextPageToken(shown.getLast().getString("id"));
        }
        return page.build();
    }

    private Uni<Execution> cancel(Call call, CancelExecutionRequest asked) {
        ExecutionId id = Refusal.orNotFound(() -> ExecutionId.parse(asked.getExecutionId()));
        return executions
                .cancellation()
                .cancel(
                        call.scope(),
                        call.auditContext(),
                        new Which(Optional.of(id), Optional.empty(), Optional.empty()))
                .chain(stopped -> executions
                        .queries()
                        .find(call.scope(), id)
                        .map(found -> found.orElseThrow(Refusal::notFound))
                        .invoke(row -> {
                            if (stopped.isEmpty()) {
                                throw new Refusal(
                                        ErrorCode.CONFLICT,
                                        "The execution has ended already, as " + row.getString("status") + ".");
                            }
                        }))
                .map(messages::message);
    }
}
