package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.execution.Invocable;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.vertx.core.MultiMap;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.Optional;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Speaks the protocol: reads a message, finds by which revision it is meant, and answers it. Revisions up to 2025-11-25 begin with {@code
 * initialize}; 2026-07-28 says everything with each request. Thread-safe; called on an event loop and waits for nothing.
 */
@Singleton
final class McpService {
    static final String TOOLS_CALL = "tools/call";

    private static final String TOOLS_LIST = "tools/list";

    /** How long a list may be believed, milliseconds; a push can change it at any time. */
    private static final int LIST_TTL_MS = 2_000;

    private final ObjectMapper json;
    private final String version;
    private final Sessions sessions;
    private final CallsInFlight inFlight;
    private final Offers offers;
    private final ToolList list;
    private final ToolCalls calls;

    McpService(
            ObjectMapper json,
            McpConfig config,
            CapabilityRegistry registry,
            Executions executions,
            PolicyEngine policy,
            Pool pool,
            Clock clock,
            @ConfigProperty(name = "plane.hydrator.result-bytes-max") int resultBytesMax,
            @ConfigProperty(name = "quarkus.application.version") String version) {
        this.json = json;
        this.version = version;
        this.sessions = new Sessions(pool, config.sessionIdle(), config.sessionsMax(), config.statementTimeout());
        this.inFlight = new CallsInFlight(config.callsMax());
        this.offers = new Offers(registry);
        this.list = new ToolList(json, new Invocable(policy, clock), config.pageMax());
        this.calls = new ToolCalls(json, executions.service(), inFlight, resultBytesMax);
    }

    /** The answer to one message; fails with a {@link Refusal} when the request is none that the protocol has an answer for. */
    Uni<RpcReply> answer(Endpoint endpoint, MultiMap headers, byte[] body) {
        return switch (RpcMessage.read(body, json)) {
            case RpcMessage.Read.Refused(var id, var error) ->
                Uni.createFrom().item(RpcReply.error(json, id, error, Revision.LATEST_WITH_HANDSHAKE));
            case RpcMessage.Read.Message(var message) -> answer(endpoint, headers, message);
        };
    }

    /** Ends the session that the headers name, with what it does. */
    Uni<RpcReply> end(Endpoint endpoint, MultiMap headers) {
        Optional<String> session;
        try {
            session = SaidHeaders.of(headers).session();
        } catch (RpcError e) {
            session = Optional.empty();
        }
        String id = session.orElseThrow(
                () -> Refusal.invalid("header:" + SaidHeaders.SESSION_ID, "name the session to end, once"));
        return sessions.close(endpoint, id)
                .invoke(closed -> {
                    if (!closed) {
                        throw unknownSession();
                    }
                    inFlight.cancelAll(id);
                })
                .replaceWith(new RpcReply(204, Optional.empty(), Optional.empty(), Optional.empty()));
    }

    private Uni<RpcReply> answer(Endpoint endpoint, MultiMap headers, RpcMessage message) {
        JsonNode id = message instanceof RpcMessage.Request request ? request.id() : NullNode.getInstance();
        Revision revision = Revision.LATEST_WITH_HANDSHAKE;
        try {
            SaidHeaders said = SaidHeaders.of(headers);
            revision = said.revision(paramsOf(message), json);
            Revision meant = revision;
            return answer(endpoint, said, meant, message)
                    .onFailure(RpcError.class)
                    .recoverWithItem(failure -> RpcReply.error(json, id, failure, meant));
        } catch (RpcError e) {
            return Uni.createFrom().item(RpcReply.error(json, id, e, revision));
        }
    }

    private ObjectNode paramsOf(RpcMessage message) {
        return switch (message) {
            case RpcMessage.Request request -> request.params();
            case RpcMessage.Notification notification -> notification.params();
            case RpcMessage.Response _ -> json.createObjectNode();
        };
    }

    private Uni<RpcReply> answer(Endpoint endpoint, SaidHeaders said, Revision revision, RpcMessage message) {
        if (!revision.hasHandshake()) {
            return switch (message) {
                case RpcMessage.Request request -> stateless(endpoint, said, revision, request);
                // None is defined; a client that leaves is what cancels.
                case RpcMessage.Notification _ -> Uni.createFrom().item(RpcReply.accepted());
                case RpcMessage.Response _ ->
                    throw new RpcError(RpcError.INVALID_REQUEST, "This revision has no requests of servers to answer.");
            };
        }
        return switch (message) {
            case RpcMessage.Request request when request.method().equals("initialize") -> initialize(endpoint, request);
            case RpcMessage.Request request ->
                inSession(endpoint, said).chain(() -> inHandshakes(endpoint, said, revision, request));
            case RpcMessage.Notification notification ->
                inSession(endpoint, said)
                        .invoke(() -> noted(said, notification))
                        .replaceWith(RpcReply.accepted());
            case RpcMessage.Response _ -> inSession(endpoint, said).replaceWith(RpcReply.accepted());
        };
    }

    // Up to 2025-11-25

    private Uni<RpcReply> initialize(Endpoint endpoint, RpcMessage.Request request) {
        JsonNode asked = request.params().path("protocolVersion");
        if (!asked.isTextual()) {
            throw new RpcError(RpcError.INVALID_PARAMS, "params.protocolVersion must be a text.");
        }
        Revision agreed =
                Revision.parse(asked.asText()).filter(Revision::hasHandshake).orElse(Revision.LATEST_WITH_HANDSHAKE);
        ObjectNode result = json.createObjectNode().put("protocolVersion", agreed.wireName());
        result.set("capabilities", capabilities());
        result.set("serverInfo", serverInfo(endpoint));
        return offers.at(endpoint)
                .chain(() -> sessions.open(endpoint))
                .map(session -> RpcReply.result(json, request.id(), result).inSession(session));
    }

    /** A session is not needed; but one that is named must be the caller's. */
    private Uni<Void> inSession(Endpoint endpoint, SaidHeaders said) {
        return said.session()
                .map(id -> sessions.use(endpoint, id)
                        .invoke(known -> {
                            if (!known) {
                                throw unknownSession();
                            }
                        })
                        .replaceWithVoid())
                .orElseGet(() -> Uni.createFrom().voidItem());
    }

    private static Refusal unknownSession() {
        return new Refusal(ErrorCode.NOT_FOUND, "There is no such session, or none any more; begin one by initialize.");
    }

    private Uni<RpcReply> inHandshakes(
            Endpoint endpoint, SaidHeaders said, Revision revision, RpcMessage.Request request) {
        return switch (request.method()) {
            case "ping" -> Uni.createFrom().item(RpcReply.result(json, request.id(), json.createObjectNode()));
            case TOOLS_LIST -> list(endpoint, revision, request);
            case TOOLS_CALL -> call(endpoint, said.session(), said.takesStreams(), revision, request);
            default -> throw new RpcError(RpcError.METHOD_NOT_FOUND, "Method not found");
        };
    }

    /** What is not understood is no error: a notification has no answer. */
    private void noted(SaidHeaders said, RpcMessage.Notification notification) {
        JsonNode request = notification.params().path("requestId");
        if (notification.method().equals("notifications/cancelled") && request.isValueNode()) {
            said.session().ifPresent(session -> inFlight.cancel(session, request));
        }
    }

    // From 2026-07-28 on

    private Uni<RpcReply> stateless(
            Endpoint endpoint, SaidHeaders said, Revision revision, RpcMessage.Request request) {
        said.check(request);
        return switch (request.method()) {
            case "server/discover" -> discover(endpoint, revision, request);
            case TOOLS_LIST -> list(endpoint, revision, request);
            case TOOLS_CALL -> call(endpoint, Optional.empty(), said.takesStreams(), revision, request);
            default -> throw new RpcError(RpcError.METHOD_NOT_FOUND, "Method not found");
        };
    }

    private Uni<RpcReply> discover(Endpoint endpoint, Revision revision, RpcMessage.Request request) {
        ObjectNode result = json.createObjectNode();
        Revision.supported().forEach(result.putArray("supportedVersions")::add);
        result.set("capabilities", capabilities());
        believed(result);
        return offers.at(endpoint).map(_ -> reply(endpoint, revision, request, result));
    }

    // In all

    private Uni<RpcReply> list(Endpoint endpoint, Revision revision, RpcMessage.Request request) {
        return offers.at(endpoint)
                .map(offer ->
                        list.page(endpoint.caller(), offer, request.params().get("cursor")))
                .invoke(page -> {
                    if (!revision.hasHandshake()) {
                        believed(page);
                    }
                })
                .map(page -> reply(endpoint, revision, request, page));
    }

    private Uni<RpcReply> call(
            Endpoint endpoint,
            Optional<String> session,
            boolean streams,
            Revision revision,
            RpcMessage.Request request) {
        return offers.at(endpoint)
                .chain(offer -> calls.call(
                        endpoint,
                        offer,
                        request,
                        session,
                        streams,
                        result -> reply(endpoint, revision, request, result)
                                .body()
                                .orElseThrow()))
                .map(outcome -> switch (outcome) {
                    case ToolCalls.Outcome.Ended(var result) -> reply(endpoint, revision, request, result);
                    case ToolCalls.Outcome.Streams(var stream) -> RpcReply.streamed(stream);
                    case ToolCalls.Outcome.Cancelled _ -> RpcReply.accepted();
                });
    }

    private RpcReply reply(Endpoint endpoint, Revision revision, RpcMessage.Request request, ObjectNode result) {
        if (!revision.hasHandshake()) {
            result.put("resultType", "complete");
            result.withObject("/_meta").set(Meta.SERVER_INFO, serverInfo(endpoint));
        }
        return RpcReply.result(json, request.id(), result);
    }

    /** It depends on who asks and may change with the next push. */
    private static void believed(ObjectNode result) {
        result.put("ttlMs", LIST_TTL_MS).put("cacheScope", "private");
    }

    private ObjectNode capabilities() {
        ObjectNode capabilities = json.createObjectNode();
        capabilities.putObject("tools");
        return capabilities;
    }

    private ObjectNode serverInfo(Endpoint endpoint) {
        return json.createObjectNode()
                .put("name", endpoint.server().orElse("aiel-plane"))
                .put("version", version);
    }
}
