package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.hydrator.egress.EgressProxy;
import io.aiel.plane.vocabulary.ProjectId;
import io.vertx.core.Vertx;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/** Makes calls through the real engine and descriptions; {@code *.test} names this host and is allowed to. */
final class Calls implements AutoCloseable {
    static final Set<String> ALLOWED =
            Set.of("slack.test", "jira.test", "openai.test", "firebase.test", "tokens.test", "http.test", "other.test");
    private static final JsonMapper JSON = JsonMapper.builder().build();

    static final ProjectId PROJECT = ProjectId.create();

    /** Names that were asked for an address. */
    final List<String> resolved = new CopyOnWriteArrayList<>();

    final HttpActionRunner runner;
    private final String provider;
    private Duration timeout = Duration.ofSeconds(10);
    private Optional<String> key = Optional.empty();
    private ProjectId project = PROJECT;

    record Limits(
            Optional<Path> caFile, int inHandMax, Duration connectTimeout, int requestBytesMax, int responseBytesMax)
            implements HttpActionConfig {
        static final Limits USUAL = new Limits(Optional.empty(), 16, Duration.ofSeconds(5), 1 << 20, 4 << 20);
    }

    Calls(Vertx vertx, String provider) {
        this(vertx, provider, Limits.USUAL, ALLOWED, _ -> new InetAddress[] {loopback()}, Clock.systemUTC());
    }

    Calls(
            Vertx vertx,
            String provider,
            Limits limits,
            Set<String> privateHosts,
            EgressProxy.Resolver names,
            Clock clock) {
        this.provider = provider;
        EgressProxy.Resolver recording = name -> {
            resolved.add(name);
            return names.resolve(name);
        };
        this.runner = new HttpActionRunner(
                HttpConnectors.load(),
                new OutboundHttp(vertx, recording, privateHosts, limits),
                privateHosts,
                limits,
                clock);
    }

    static InetAddress loopback() {
        return InetAddress.ofLiteral("127.0.0.1");
    }

    Calls within(Duration limit) {
        timeout = limit;
        return this;
    }

    Calls of(ProjectId other) {
        project = other;
        return this;
    }

    Calls under(String idempotencyKey) {
        key = Optional.of(idempotencyKey);
        return this;
    }

    ActionResult call(String action, String settings, String credentials, String params) {
        ActionResult result = runner.run(request(action, settings, credentials, params))
                .await()
                .atMost(Duration.ofSeconds(30));
        String shown = result instanceof ActionResult.Done(var object) ? object.toString() : result.toString();
        if (shown.contains(LocalServer.HEADER)) {
            throw new AssertionError("a header of the server has come to the code: " + shown);
        }
        return result;
    }

    ActionRequest request(String action, String settings, String credentials, String params) {
        return new ActionRequest(
                project,
                "conn_1",
                provider,
                action,
                object(settings),
                object(credentials),
                object(params),
                timeout,
                key,
                Deltas.NOBODY);
    }

    static JsonNode done(ActionResult result) {
        if (result instanceof ActionResult.Done(var object)) {
            return object;
        }
        throw new AssertionError("not done: " + result);
    }

    static ActionResult.Refused refused(ActionResult result) {
        if (result instanceof ActionResult.Refused refused) {
            return refused;
        }
        throw new AssertionError("not refused: " + result);
    }

    static ObjectNode object(String json) {
        try {
            return (ObjectNode) JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** A JSON object of texts. */
    static String texts(Map<String, String> members) {
        return JSON.valueToTree(members).toString();
    }

    @Override
    public void close() {
        runner.close();
    }
}
