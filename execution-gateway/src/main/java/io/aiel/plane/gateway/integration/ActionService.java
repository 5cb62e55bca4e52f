package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.gateway.execution.CallingExecution;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.registry.input.InputCheck;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.opentelemetry.context.Context;
import io.smallrye.mutiny.Uni;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jboss.logging.Logger;

/**
 * Has an action done, once it is known that it may be: known to the provider, allowed and granted by the connection, its parameters fit, the
 * connection's allowance is not used up, and the call is on record. Then the system is called, and how that ended is put on record.
 *
 * <p>A call that has begun goes on when its caller goes away: what it does there cannot be called back. Thread-safe; nothing blocks.
 */
public final class ActionService {
    private static final Logger LOG = Logger.getLogger(ActionService.class);
    private static final String KEY_PARAMETER = "idempotency_key";
    private static final int KEY_CHARACTERS_MAX = 255;

    /** A runner ends by its own limit; this is for one that does not. */
    private static final Duration GRACE = Duration.ofSeconds(2);

    /** What may pass between the limit of a call and the moment at which its end is on record. */
    private static final Duration RECORDING = Duration.ofSeconds(30);

    private final ConnectionStore store;
    private final ActionCalls calls;
    private final CredentialSeal seal;
    private final ProviderCatalogue catalogue;
    private final List<ActionRunner> runners;
    private final CallLimits limits;
    private final CallTelemetry telemetry;
    private final InputCheck check;
    private final IntegrationSettings settings;
    private final ObjectMapper json;

    ActionService(
            ConnectionStore store,
            ActionCalls calls,
            CredentialSeal seal,
            ProviderCatalogue catalogue,
            List<ActionRunner> runners,
            CallLimits limits,
            CallTelemetry telemetry,
            InputCheck check,
            IntegrationSettings settings,
            ObjectMapper json) {
        this.store = store;
        this.calls = calls;
        this.seal = seal;
        this.catalogue = catalogue;
        this.runners = List.copyOf(runners);
        this.limits = limits;
        this.telemetry = telemetry;
        this.check = check;
        this.settings = settings;
        this.json = json;
    }

    /**
     * Who asks for an action.
     *
     * @param principal whose idempotency keys these are
     * @param execution the execution whose code asks, if it does
     * @param declared all that this code says it has done, where it has a way to say
     * @param trace the span that that of the call is a child of
     */
    public record Asker(
            ProjectScope scope,
            PrincipalId principal,
            Optional<CallingExecution> execution,
            Optional<Set<String>> declared,
            AuditContext context,
            Context trace) {
        public Asker {
            declared = declared.map(Set::copyOf);
        }

        private Optional<ExecutionId> executionId() {
            return execution.map(CallingExecution::id);
        }

        private Deltas deltas() {
            return execution
                    .<Deltas>map(running -> piece -> running.delta(new JsonText(piece.toString())))
                    .orElse(Deltas.NOBODY);
        }

        /** Whether the code says that it has this done, by the action's name or what it is a capability for. */
        private boolean declares(Provider.Action action) {
            return declared.map(names -> names.contains(action.name()) || names.contains(action.capability()))
                    .orElse(true);
        }
    }

    /** A call that may be made, with what opens the system. */
    private record Ready(ActionCalls.Call call, Provider.Action action, ActionRequest request, ActionRunner runner) {}

    /** A call that is on record and is made. */
    private record Made(Asker asker, Ready ready, CallTelemetry.Watched watched) {}

    /**
     * Has it done. The item is the action's result; every refusal is a {@link Refusal}.
     *
     * @param connection id, as the caller sent it
     * @param idempotencyKey of the header; the parameter of that name is one too
     */
    public Uni<JsonText> invoke(
            Asker asker, String connection, String action, ObjectNode params, Optional<String> idempotencyKey) {
        return load(asker.scope(), connection)
                .chain(loaded -> permitted(asker, loaded, action).chain(known -> {
                    ConnectionWish.refuseIfWrong(ConnectionWish.problems(check, "/params", known.params(), params));
                    return entered(asker, loaded, known, params, key(params, idempotencyKey));
                }));
    }

    /** Calls the provider's action for that, whether or not it is granted: nothing in it is the caller's to choose. */
    Uni<JsonText> check(Asker asker, String connection) {
        return load(asker.scope(), connection).chain(loaded -> {
            Provider provider = provider(loaded);
            ObjectNode params = JsonNodeFactory.instance.objectNode();
            if (provider.name().equals(PostgresActionRunner.PROVIDER)) {
                params.put("sql", "select 1 as ok");
            }
            Provider.Action action = provider.action(provider.healthCheck()).orElseThrow();
            return entered(asker, loaded, action, params, Optional.empty());
        });
    }

    private Uni<ConnectionStore.Loaded> load(ProjectScope scope, String connection) {
        String id = Refusal.orNotFound(() -> Ids.check(Connection.PREFIX, connection));
        return store.load(scope, id).map(found -> found.orElseThrow(Refusal::notFound));
    }

    private Provider provider(ConnectionStore.Loaded loaded) {
        return catalogue.find(loaded.connection().provider()).orElseThrow(Refusal::notFound);
    }

    private Uni<Provider.Action> permitted(Asker asker, ConnectionStore.Loaded loaded, String action) {
        Connection connection = loaded.connection();
        Provider provider = provider(loaded);
        Provider.Action known = provider.action(action)
                .orElseThrow(() -> new Refusal(
                        ErrorCode.NOT_FOUND,
                        "A connection to " + provider.name() + " has the actions "
                                + String.join(", ", provider.actions().keySet()) + "."));
        if (connection.mayDo(action) && asker.declares(known)) {
            return Uni.createFrom().item(known);
        }
        Refusal refusal = new Refusal(ErrorCode.ACTION_NOT_GRANTED, missing(asker, connection, known));
        return calls.refused(
                        asker.context(),
                        connection.id(),
                        action,
                        asker.executionId(),
                        refusal.code().name())
                .chain(() -> Uni.createFrom().failure(refusal));
    }

    private static String missing(Asker asker, Connection connection, Provider.Action action) {
        if (!connection.allowed().contains(action.name())) {
            return "The action " + action.name() + " is not among the connection's allowed_actions.";
        }
        if (!connection.mayDo(action.name())) {
            return "The action " + action.name() + " is allowed, but not among the connection's granted_actions.";
        }
        return "The capability of "
                + asker.executionId().map(ExecutionId::value).orElse("the caller")
                + " does not say that it has " + action.name()
                + " done; name it in the allowed_actions of its decorator.";
    }

    private Optional<String> key(ObjectNode params, Optional<String> header) {
        JsonNode parameter = params.path(KEY_PARAMETER);
        Optional<String> named = parameter.isTextual() && !parameter.asText().isBlank()
                ? Optional.of(parameter.asText())
                : Optional.empty();
        if (header.isPresent() && named.isPresent() && !header.equals(named)) {
            throw Refusal.invalid("/params/" + KEY_PARAMETER, "is another than that of the header Idempotency-Key");
        }
        Optional<String> key = header.or(() -> named);
        key.filter(text -> text.isBlank()
                        || text.length() > KEY_CHARACTERS_MAX
                        || text.chars().anyMatch(Character::isISOControl))
                .ifPresent(_ -> {
                    throw new Refusal(
                            ErrorCode.VALIDATION_ERROR,
                            "An idempotency key must have 1 to " + KEY_CHARACTERS_MAX
                                    + " characters, not all of them blank, and none that controls.");
                });
        return key;
    }

    private Uni<JsonText> entered(
            Asker asker,
            ConnectionStore.Loaded loaded,
            Provider.Action action,
            ObjectNode params,
            Optional<String> key) {
        Connection connection = loaded.connection();
        if (!connection.enabled()) {
            throw unusable("The connection is disabled"
                    + (connection.statusReason().isEmpty() ? "." : ": " + connection.statusReason()));
        }
        return switch (limits.enter(asker.scope().project(), connection.id(), connection.callsPerMinute())) {
            case CallLimits.Entry.Refused(var why, var after) ->
                throw new Refusal(ErrorCode.RATE_LIMITED, why).retryAfter((int) Math.max(1, after.toSeconds() + 1));
            case CallLimits.Entry.Taken() -> {
                Uni<JsonText> work = ready(asker, loaded, action, params, key)
                        .chain(ready -> recorded(asker, ready))
                        .onTermination()
                        .invoke(() -> limits.leave(asker.scope().project(), connection.id()))
                        .memoize()
                        .indefinitely();
                // Whoever waits may go away; the call and its record do not.
                work.subscribe().with(_ -> {}, _ -> {});
                yield work;
            }
        };
    }

    private Uni<Ready> ready(
            Asker asker,
            ConnectionStore.Loaded loaded,
            Provider.Action action,
            ObjectNode params,
            Optional<String> key) {
        Connection connection = loaded.connection();
        Provider provider = provider(loaded);
        ActionCalls.Call call = new ActionCalls.Call(
                Ids.create(ActionCalls.PREFIX),
                asker.scope(),
                connection.id(),
                action.name(),
                asker.principal().value(),
                asker.executionId(),
                key,
                Digest.of(action.name() + "\n" + sorted(params)),
                connection.timeout().plus(GRACE).plus(RECORDING));
        return opened(provider, loaded)
                .map(credentials -> new Ready(
                        call,
                        action,
                        new ActionRequest(
                                asker.scope().project(),
                                connection.id(),
                                provider.name(),
                                action.name(),
                                (ObjectNode) read(connection.settings().encode()),
                                credentials,
                                params,
                                connection.timeout(),
                                key,
                                asker.deltas()),
                        runners.stream()
                                .filter(runner -> runner.serves(provider.name()))
                                .findFirst()
                                .orElseThrow()));
    }

    private Uni<ObjectNode> opened(Provider provider, ConnectionStore.Loaded loaded) {
        Uni<ObjectNode> opened = loaded.credentials()
                .map(kept -> seal.open(loaded.connection().credentialPlace(), kept)
                        .map(bytes -> (ObjectNode) read(new String(bytes, StandardCharsets.UTF_8))))
                .orElseGet(() -> Uni.createFrom().item(JsonNodeFactory.instance.objectNode()));
        return opened.invoke(credentials -> {
                    // Others were checked when they were set, perhaps by an earlier description.
                    if (credentials.isEmpty()
                            && !check.check(provider.credentials(), credentials).isEmpty()) {
                        throw unusable("The connection has no credentials; set them with PUT …/credentials.");
                    }
                })
                .onFailure(CredentialsUnavailable.class)
                .transform(CredentialsUnavailable::refusal);
    }

    private Uni<JsonText> recorded(Asker asker, Ready ready) {
        return calls.send(asker.context(), ready.call())
                .chain(earlier -> earlier.isPresent()
                        ? again(ready.call(), earlier.get())
                        : called(
                                new Made(asker, ready, telemetry.begin(asker.trace(), ready.call(), ready.request()))));
    }

    private static Uni<JsonText> again(ActionCalls.Call call, ActionCalls.Earlier earlier) {
        if (!earlier.requestDigest().equals(call.requestDigest())) {
            throw new Refusal(
                    ErrorCode.IDEMPOTENCY_KEY_REUSED,
                    "This idempotency key was used for another action or parameters.");
        }
        return switch (earlier.status()) {
            case "done" ->
                Uni.createFrom()
                        .item(
                                earlier.result()
                                        .map(JsonText::new)
                                        .orElseThrow(
                                                () -> new Refusal(
                                                        ErrorCode.CONFLICT,
                                                        "The action was done under this idempotency key, but its result was not kept.")));
            case "unknown" ->
                throw new Refusal(
                        ErrorCode.ACTION_OUTCOME_UNKNOWN,
                        "Whether the action of this idempotency key took effect is not known; look at the outside system.");
            default ->
                throw new Refusal(
                        ErrorCode.ACTION_IN_PROGRESS,
                        "The action of this idempotency key has not ended; ask again later.");
        };
    }

    private Uni<JsonText> called(Made made) {
        Ready ready = made.ready();
        return Uni.createFrom()
                .deferred(() -> ready.runner().run(ready.request()))
                .ifNoItem()
                .after(ready.request().timeout().plus(GRACE))
                .recoverWithItem(() -> new ActionResult.Unknown("The call did not end in time."))
                .onFailure()
                .recoverWithItem(failure -> {
                    LOG.errorf(
                            failure,
                            "%s of %s failed",
                            ready.call().action(),
                            ready.call().connection());
                    return new ActionResult.Unknown("The plane failed while it called the outside system.");
                })
                .chain(result -> ended(made, result));
    }

    private Uni<JsonText> ended(Made made, ActionResult result) {
        Ready ready = made.ready();
        return switch (result) {
            case ActionResult.Done(var object) -> done(made, object.toString(), used(made, object));
            case ActionResult.Refused refused ->
                end(
                                made,
                                new ActionCalls.End(
                                        "refused", code(refused).name(), Optional.empty(), Optional.empty()),
                                ModelUse.NONE)
                        .chain(() -> Uni.createFrom().failure(refusal(ready, refused)));
            case ActionResult.Unknown(var message) -> {
                ErrorCode code = ready.action().writes() ? ErrorCode.ACTION_OUTCOME_UNKNOWN : ErrorCode.TIMEOUT;
                yield end(
                                made,
                                new ActionCalls.End("unknown", code.name(), Optional.empty(), Optional.empty()),
                                ModelUse.NONE)
                        .chain(() -> Uni.createFrom().failure(new Refusal(code, without(ready, message))));
            }
        };
    }

    /** What a language model's answer says that it used; counted here alone, where an answer comes from outside for the first time. */
    private static ModelUse used(Made made, ObjectNode result) {
        ActionRequest request = made.ready().request();
        if (ModelAnswer.operation(request.action()).isEmpty()) {
            return ModelUse.NONE;
        }
        ModelAnswer answer = ModelAnswer.of(ModelAnswer.name(request.params().path("model")), result);
        made.watched().answered(answer);
        made.asker().execution().ifPresent(execution -> execution.used(answer.model(), answer.use()));
        return answer.use();
    }

    private Uni<JsonText> done(Made made, String result, ModelUse use) {
        boolean fits = result.getBytes(StandardCharsets.UTF_8).length <= settings.resultBytesMax();
        ActionCalls.End end = new ActionCalls.End(
                "done", "", Optional.of(Digest.of(result)), fits ? Optional.of(result) : Optional.empty());
        return end(made, end, use).map(_ -> {
            if (!fits) {
                throw new Refusal(
                        ErrorCode.ACTION_REFUSED,
                        "The action was done, but its result is larger than " + settings.resultBytesMax()
                                + " bytes; ask for less.",
                        details(made.ready(), "result_too_large"));
            }
            return new JsonText(result);
        });
    }

    /** An end that is not on record is not told: nobody could say later what was done. */
    private Uni<Void> end(Made made, ActionCalls.End end, ModelUse use) {
        ActionCalls.Call call = made.ready().call();
        long tookMs = made.watched().elapsed().toMillis();
        made.watched().ended(end);
        return calls.end(made.asker().context(), call, end)
                .onFailure()
                .transform(failure -> {
                    LOG.warnf("the end of %s could not be put on record (%s)", call.id(), failure.toString());
                    return new Refusal(
                            ErrorCode.ACTION_OUTCOME_UNKNOWN,
                            "The action was called, but how it ended could not be put on record; look at the outside system.");
                })
                .invoke(() -> made.asker().execution().ifPresent(execution -> tell(execution, call, end, tookMs, use)));
    }

    /**
     * Puts the end on the record of the execution whose code called, too. Nobody waits for that: it is in order there, and is written with the
     * execution's end at the latest. An execution that has ended takes no more, and the control stream has it anyway.
     */
    private static void tell(
            CallingExecution execution, ActionCalls.Call call, ActionCalls.End end, long tookMs, ModelUse use) {
        var _ = execution.record(new AuditEvent.ExecutionAnswered(
                execution.id(),
                call.id(),
                call.connection(),
                call.action(),
                end.status(),
                end.code(),
                call.requestDigest(),
                end.responseDigest(),
                tookMs,
                use));
    }

    private static ErrorCode code(ActionResult.Refused refused) {
        return switch (refused.status()) {
            case 429 -> ErrorCode.RATE_LIMITED;
            case 504 -> ErrorCode.TIMEOUT;
            default -> ErrorCode.ACTION_REFUSED;
        };
    }

    private static Refusal refusal(Ready ready, ActionResult.Refused refused) {
        Refusal refusal = new Refusal(code(refused), without(ready, refused.message()), details(ready, refused.code()))
                .withStatus(refused.status());
        return refused.retryAfter()
                .map(after -> refusal.retryAfter((int) Math.max(1, after.toSeconds())))
                .orElse(refusal);
    }

    private static Map<String, Object> details(Ready ready, String reason) {
        return Map.of(
                "reason", reason,
                "connection_id", ready.call().connection(),
                "action", ready.call().action(),
                "call_id", ready.call().id());
    }

    /** Messages hold no credentials; should one do so all the same, it does not get further than here. */
    private static String without(Ready ready, String message) {
        return without(ready.request().credentials(), message);
    }

    private static String without(JsonNode secret, String message) {
        if (secret.isTextual()) {
            return secret.asText().isEmpty() ? message : message.replace(secret.asText(), "[redacted]");
        }
        String clean = message;
        for (JsonNode part : secret) {
            clean = without(part, clean);
        }
        return clean;
    }

    private static Refusal unusable(String why) {
        return new Refusal(ErrorCode.CONNECTION_UNUSABLE, why);
    }

    private JsonNode read(String text) {
        try {
            return json.readTree(text);
        } catch (JsonProcessingException e) {
            // Not with its cause: that repeats what could not be read.
            throw new CredentialsUnavailable(
                    "What is kept of the connection cannot be read. Set its credentials again.");
        }
    }

    /** The same text for parameters that mean the same: the order of members does not matter. */
    private String sorted(JsonNode node) {
        try {
            return json.writeValueAsString(inOrder(node));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree can be written", e);
        }
    }

    private static JsonNode inOrder(JsonNode node) {
        if (node.isObject()) {
            ObjectNode sorted = JsonNodeFactory.instance.objectNode();
            Map<String, JsonNode> members = new TreeMap<>();
            node.properties().forEach(member -> members.put(member.getKey(), member.getValue()));
            members.forEach((name, value) -> sorted.set(name, inOrder(value)));
            return sorted;
        }
        if (node.isArray()) {
            var array = JsonNodeFactory.instance.arrayNode();
            node.forEach(element -> array.add(inOrder(element)));
            return array;
        }
        return node;
    }
}
