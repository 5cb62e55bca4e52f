package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.embedded.MongoForTests;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Calls of {@code mongodb.*} for tests: to one port of this machine, by the user that {@link MongoForTests} has, unless said otherwise. */
final class MongoCalls implements AutoCloseable {
    static final Duration LIMIT = Duration.ofSeconds(20);
    static final int RESULT_BYTES = 50_000;
    static final Set<String> ALLOWED = Set.of("127.0.0.1", "localhost");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final MongoActionRunner runner;
    private final int port;

    MongoCalls(Vertx vertx, Set<String> privateHosts, int port) {
        this.runner = new MongoActionRunner(
                vertx, new CheckedResolver(privateHosts, LIMIT), TestSettings.of(privateHosts, LIMIT, RESULT_BYTES, 4));
        this.port = port;
    }

    MongoActionRunner runner() {
        return runner;
    }

    ActionRequest request(
            String action, String params, Map<String, ?> settings, Map<String, String> credentials, Duration timeout) {
        Map<String, Object> all = new LinkedHashMap<>(Map.of(
                "host",
                "127.0.0.1",
                "port",
                port,
                "database",
                MongoForTests.DATABASE,
                "user",
                MongoForTests.USER,
                "auth_database",
                MongoForTests.DATABASE,
                "ssl",
                "disable"));
        all.putAll(settings);
        return new ActionRequest(
                Calls.PROJECT,
                "conn_1",
                "mongodb",
                action,
                JSON.valueToTree(all),
                JSON.valueToTree(credentials),
                object(params),
                timeout,
                Optional.empty(),
                Deltas.NOBODY);
    }

    ActionResult run(ActionRequest request) {
        return runner.run(request).await().atMost(LIMIT.plusSeconds(5));
    }

    ActionResult run(String action, String params) {
        return run(action, params, Map.of());
    }

    ActionResult run(String action, String params, Map<String, ?> settings) {
        return run(action, params, settings, LIMIT);
    }

    ActionResult run(String action, String params, Map<String, ?> settings, Duration timeout) {
        return run(request(action, params, settings, Map.of("password", MongoForTests.PASSWORD), timeout));
    }

    static ObjectNode object(String json) {
        try {
            return (ObjectNode) JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    static String params(Map<String, ?> params) {
        return JSON.valueToTree(params).toString();
    }

    static JsonNode done(ActionResult result) {
        assertThat(result).as(result.toString()).isInstanceOf(ActionResult.Done.class);
        return ((ActionResult.Done) result).result();
    }

    static ActionResult.Refused refused(ActionResult result) {
        assertThat(result).as(result.toString()).isInstanceOf(ActionResult.Refused.class);
        return (ActionResult.Refused) result;
    }

    @Override
    public void close() {
        runner.close();
    }
}
