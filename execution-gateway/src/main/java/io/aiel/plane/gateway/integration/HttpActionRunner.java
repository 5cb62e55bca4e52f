package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.integration.OutboundHttp.Sent;
import io.aiel.plane.gateway.overload.Shares;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Makes the calls of systems that are spoken to over HTTP: of a call and the description of its system it makes a request, and of the answer a
 * result. The credentials get into one header and nowhere else, and what comes back is searched for them. Answers are read on threads of its
 * own, and results come on those.
 */
final class HttpActionRunner implements ActionRunner, AutoCloseable {
    private static final Duration FULL_RETRY = Duration.ofSeconds(1);

    private final Map<String, HttpConnector> connectors;
    private final Set<String> privateHosts;
    private final OutboundHttp http;
    private final ServiceAccountTokens tokens;
    private final int requestBytesMax;
    private final Shares<ProjectId> places;
    private final Clock clock;
    private final ExecutorService reading = Executors.newVirtualThreadPerTaskExecutor();

    /** Speaks to all systems that there is a description of; {@code privateHosts} may resolve to private addresses and be called without TLS. */
    HttpActionRunner(Vertx vertx, Set<String> privateHosts, HttpActionConfig config) {
        this(
                HttpConnectors.load(),
                new OutboundHttp(vertx, InetAddress::getAllByName, privateHosts, config),
                privateHosts,
                config,
                Clock.systemUTC());
    }

    HttpActionRunner(
            Map<String, HttpConnector> connectors,
            OutboundHttp http,
            Set<String> privateHosts,
            HttpActionConfig config,
            Clock clock) {
        this.connectors = Map.copyOf(connectors);
        this.privateHosts = Set.copyOf(privateHosts);
        this.http = http;
        this.tokens = new ServiceAccountTokens(http, clock);
        this.requestBytesMax = config.requestBytesMax();
        this.places = new Shares<>(config.inHandMax());
        this.clock = clock;
    }

    @Override
    public boolean serves(String provider) {
        return connectors.containsKey(provider);
    }

    @Override
    public Uni<ActionResult> run(ActionRequest request) {
        return Uni.createFrom().deferred(() -> {
            return switch (places.take(request.project(), 1)) {
                case NOT_FREE -> busy("this server makes as many calls as it may at once; try again");
                case HAS_ITS_SHARE ->
                    busy("the project makes as many calls at once as its share of this server allows; try again");
                case TAKEN -> {
                    AtomicBoolean given = new AtomicBoolean();
                    yield made(request).onTermination().invoke(() -> {
                        if (given.compareAndSet(false, true)) {
                            places.giveBack(request.project(), 1);
                        }
                    });
                }
            };
        });
    }

    private static Uni<ActionResult> busy(String why) {
        return Uni.createFrom().item(new ActionResult.Refused("busy", why, 429, Optional.of(FULL_RETRY)));
    }

    private Uni<ActionResult> made(ActionRequest request) {
        long began = System.nanoTime();
        return Uni.createFrom()
                .item(() -> prepare(request))
                .runSubscriptionOn(reading)
                .chain(call -> authorised(call, left(request, began))
                        .chain(ready -> send(ready, left(request, began))
                                .emitOn(reading)
                                .map(sent -> answered(ready, sent))))
                .onFailure(RequestRefused.class)
                .recoverWithItem(refused -> refused.result());
    }

    private Uni<Sent> send(Ready ready, Duration limit) {
        if (!ready.call().exchange().streams()) {
            return http.send(ready.request(), limit);
        }
        Deltas deltas = ready.call().asked().deltas();
        return http.stream(ready.request(), piece -> deltas.take(ready.scrub().document(piece)), limit);
    }

    private static Duration left(ActionRequest request, long began) {
        Duration left = request.timeout().minusNanos(System.nanoTime() - began);
        return left.isPositive() ? left : Duration.ofMillis(1);
    }

    /** A call whose request is made but for its credentials. */
    private record Call(
            ActionRequest asked,
            HttpConnector connector,
            HttpExchange exchange,
            boolean write,
            ObjectNode scope,
            HttpAuth.Way auth,
            OutboundRequest request) {
        @Override
        public String toString() {
            return "Call(" + asked + ")";
        }
    }

    /** A call whose request may leave. */
    private record Ready(Call call, OutboundRequest request, CredentialScrub scrub) {
        @Override
        public String toString() {
            return "Ready(" + call + ")";
        }
    }

    private Call prepare(ActionRequest asked) {
        HttpConnector connector = connectors.get(asked.provider());
        if (connector == null) {
            throw new IllegalArgumentException("there is no description of " + asked.provider());
        }
        HttpConnector.Action action = connector.actions().get(asked.action());
        if (action == null) {
            throw new RequestRefused("unknown_action", 404, asked.provider() + " has no action " + asked.action());
        }
        ObjectNode scope = JsonNodeFactory.instance.objectNode();
        ObjectNode settings = over(connector.defaults(), asked.settings());
        scope.set("settings", settings);
        scope.set("params", over(action.defaults(), asked.params()));
        asked.idempotencyKey().ifPresent(key -> scope.put("idempotency_key", key));
        HttpAuth.Way auth = way(connector, asked, scope);
        scope.put("auth", auth.name());
        BaseUrl base = baseUrl(settings);
        try {
            HttpExchange exchange = action.exchange(scope);
            return exchange.method().isEmpty()
                    ? open(asked, connector, action, exchange, scope, auth, base)
                    : described(asked, connector, action, exchange, scope, auth, base);
        } catch (IllegalArgumentException e) {
            throw RequestRefused.params(e);
        }
    }

    private HttpAuth.Way way(HttpConnector connector, ActionRequest asked, ObjectNode scope) {
        return connector.auth().stream()
                .filter(auth -> auth.when().map(when -> when.holds(scope)).orElse(true))
                .map(HttpAuth::way)
                .filter(way -> way.members().stream()
                        .allMatch(member ->
                                !asked.credentials().path(member).asText().isEmpty()))
                .findFirst()
                .orElseThrow(() -> new RequestRefused(
                        "invalid_auth", 409, "the connection has none of the credentials that its settings ask for"));
    }

    private static ObjectNode over(ObjectNode defaults, ObjectNode given) {
        ObjectNode all = defaults.deepCopy();
        all.setAll(given);
        return all;
    }

    private BaseUrl baseUrl(ObjectNode settings) {
        String text = Optional.ofNullable(settings.path("base_url").textValue())
                .orElseThrow(() -> RequestRefused.connection("the connection's settings have no base_url"));
        try {
            return BaseUrl.parse(text, privateHosts);
        } catch (IllegalArgumentException e) {
            throw RequestRefused.connection("the connection's base_url " + e.getMessage());
        }
    }

    private Call described(
            ActionRequest asked,
            HttpConnector connector,
            HttpConnector.Action action,
            HttpExchange exchange,
            ObjectNode scope,
            HttpAuth.Way auth,
            BaseUrl base) {
        Map<String, JsonNode> query = new LinkedHashMap<>();
        exchange.query().forEach((name, value) -> value.fill(scope).ifPresent(node -> query.put(name, node)));
        BaseUrl to = exchange.fromRoot() ? base.root() : base;
        String path = exchange.path().map(text -> text.fill(scope)).orElse("");
        Optional<Buffer> body =
                exchange.body().flatMap(template -> template.fill(scope)).map(HttpActionRunner::bytes);
        Map<String, String> headers = headers(connector, exchange, scope, body.isPresent() ? "application/json" : "");
        String method = exchange.method().orElseThrow();
        OutboundRequest request =
                new OutboundRequest(method, to, to.path() + path + RequestQuery.of(query), headers, fitting(body));
        return new Call(asked, connector, exchange, action.write(), scope, auth, request);
    }

    private Call open(
            ActionRequest asked,
            HttpConnector connector,
            HttpConnector.Action action,
            HttpExchange exchange,
            ObjectNode scope,
            HttpAuth.Way auth,
            BaseUrl base) {
        OpenRequest open =
                OpenRequest.of(scope.withObject("/settings"), scope.withObject("/params"), base, privateHosts);
        boolean text = open.body().map(JsonNode::isTextual).orElse(false);
        Optional<Buffer> body = open.body().map(node -> text ? Buffer.buffer(node.textValue()) : bytes(node));
        String type = text ? "text/plain; charset=utf-8" : "application/json";
        Map<String, String> headers = headers(connector, exchange, scope, body.isPresent() ? type : "");
        headers.putAll(open.headers());
        boolean reads = open.method().equals("GET") || open.method().equals("HEAD");
        OutboundRequest request = new OutboundRequest(open.method(), open.to(), open.target(), headers, fitting(body));
        return new Call(
                asked,
                connector,
                exchange,
                action.write() && !reads,
                scope,
                open.ownHost() ? auth : new HttpAuth.Way.None(),
                request);
    }

    private static Map<String, String> headers(
            HttpConnector connector, HttpExchange exchange, ObjectNode scope, String contentType) {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("accept", exchange.streams() ? "text/event-stream, application/json" : "application/json");
        headers.put("user-agent", "aiel-plane");
        if (!contentType.isEmpty()) {
            headers.put("content-type", contentType);
        }
        connector.headers().forEach((name, value) -> put(name, value, scope, headers));
        exchange.headers().forEach((name, value) -> put(name, value, scope, headers));
        exchange.idempotencyHeader()
                .flatMap(name -> name.fill(scope))
                .filter(_ -> scope.has("idempotency_key"))
                .ifPresent(name -> headers.put(
                        lower(name.asText()), scope.path("idempotency_key").asText()));
        return headers;
    }

    private static void put(String name, JsonTemplate value, ObjectNode scope, Map<String, String> into) {
        value.fill(scope).ifPresent(node -> into.put(lower(name), node.asText()));
    }

    private static String lower(String name) {
        return name.toLowerCase(Locale.ROOT);
    }

    private static Buffer bytes(JsonNode body) {
        return Buffer.buffer(body.toString());
    }

    private Optional<Buffer> fitting(Optional<Buffer> body) {
        if (body.isPresent() && body.get().length() > requestBytesMax) {
            throw new RequestRefused(
                    "request_too_large", 422, "the request has more than " + requestBytesMax + " bytes; send less");
        }
        return body;
    }

    private Uni<Ready> authorised(Call call, Duration left) {
        List<String> secrets =
                new ArrayList<>(CredentialScrub.texts(call.asked().credentials()));
        ObjectNode credentials = call.asked().credentials();
        return switch (call.auth()) {
            case HttpAuth.Way.None _ ->
                Uni.createFrom().item(new Ready(call, call.request(), CredentialScrub.of(secrets)));
            case HttpAuth.Way.Emulator(var token) ->
                Uni.createFrom().item(ready(call, "authorization", "Bearer " + token, secrets));
            case HttpAuth.Way.Bearer(var token) ->
                Uni.createFrom()
                        .item(ready(
                                call,
                                "authorization",
                                "Bearer " + credentials.path(token).asText(),
                                secrets));
            case HttpAuth.Way.Basic(var user, var password) -> {
                String pair =
                        filled(user, call) + ":" + credentials.path(password).asText();
                secrets.add(pair);
                String encoded = Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
                yield Uni.createFrom().item(ready(call, "authorization", "Basic " + encoded, secrets));
            }
            case HttpAuth.Way.Header(var header, var value) ->
                Uni.createFrom()
                        .item(ready(
                                call,
                                lower(filled(header, call)),
                                credentials.path(value).asText(),
                                secrets));
            case HttpAuth.Way.ServiceAccount way -> {
                ServiceAccountTokens.Account account = account(call, way);
                yield tokens.token(account, left).map(token -> {
                    secrets.add(token);
                    return ready(call, "authorization", "Bearer " + token, secrets);
                });
            }
        };
    }

    private static String filled(JsonTemplate template, Call call) {
        return template.fill(call.scope())
                .map(JsonNode::asText)
                .orElseThrow(
                        () -> RequestRefused.connection("the connection's settings lack what its credentials go with"));
    }

    private ServiceAccountTokens.Account account(Call call, HttpAuth.Way.ServiceAccount way) {
        String url = filled(way.tokenUrl(), call);
        try {
            return new ServiceAccountTokens.Account(
                    filled(way.email(), call),
                    call.asked().credentials().path(way.privateKey()).asText(),
                    url,
                    BaseUrl.parse(url, privateHosts),
                    way.scope());
        } catch (IllegalArgumentException e) {
            throw RequestRefused.connection("the connection's token_url " + e.getMessage());
        }
    }

    private static Ready ready(Call call, String header, String value, List<String> secrets) {
        Map<String, String> headers = new LinkedHashMap<>(call.request().headers());
        headers.put(header, value);
        OutboundRequest bare = call.request();
        try {
            return new Ready(
                    call,
                    new OutboundRequest(bare.method(), bare.to(), bare.target(), headers, bare.body()),
                    CredentialScrub.of(secrets));
        } catch (IllegalArgumentException e) {
            // Its text may be about the name of a header that the settings chose, never about the value.
            throw new RequestRefused(
                    "invalid_auth", 409, "the connection's credentials cannot be sent: " + e.getMessage());
        }
    }

    private ActionResult answered(Ready ready, Sent sent) {
        String provider = ready.call().asked().provider();
        return switch (sent) {
            case Sent.NotSent(var code, var why, var status) ->
                ActionResult.refused(code, provider + " was not called: " + why, status);
            case Sent.Broken(var code, var why, var status) ->
                ActionResult.refused(code, provider + " answered, but " + why, status);
            case Sent.Lost(var timeout)
            when ready.call().write() ->
                new ActionResult.Unknown(
                        provider + (timeout ? " did not answer in time" : " closed the connection without an answer")
                                + ": look there whether it took effect, before it is tried again");
            case Sent.Lost(var timeout) ->
                timeout
                        ? ActionResult.refused("timeout", provider + " did not answer in time; try again", 504)
                        : ActionResult.refused(
                                "provider_error",
                                provider + " closed the connection without an answer; try again",
                                502);
            case Sent.Answered answer -> {
                if (answer.status() == 401 && ready.call().auth() instanceof HttpAuth.Way.ServiceAccount way) {
                    tokens.forget(account(ready.call(), way));
                }
                yield new AnswerReader(
                                ready.call().connector(),
                                ready.call().exchange(),
                                ready.call().write(),
                                ready.scrub(),
                                clock)
                        .read(answer, ready.call().scope());
            }
        };
    }

    @Override
    public void close() {
        http.close();
        reading.shutdownNow();
    }
}
