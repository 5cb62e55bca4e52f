package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.TextNode;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The generic connector: the caller chooses, among what the connection allows. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HttpRequestTest {
    private static final String SECRET = "canary/secret+value==";

    /** Of three bytes each, and a hundred when they are read. */
    private static final String MANY = "[" + "[],".repeat(300_000) + "[]]";

    private final Vertx vertx = Vertx.vertx();
    private LocalServer server;
    private LocalServer other;
    private Calls calls;

    @BeforeAll
    void start() {
        server = LocalServer.start(vertx, HttpRequestTest::answer);
        other = LocalServer.start(vertx, (_, response) -> LocalServer.json(response, 200, "{}"));
        calls = new Calls(vertx, "http");
    }

    @AfterAll
    void stop() {
        calls.close();
        server.close();
        other.close();
        vertx.close();
    }

    private static void answer(LocalServer.Received request, HttpServerResponse response) {
        switch (request.path()) {
            case "/api/v1/echo" ->
                LocalServer.json(
                        response,
                        200,
                        new JsonObject()
                                .put("headers", new JsonObject(new LinkedHashMap<>(request.headers())))
                                .put("body", request.body())
                                .encode());
            case "/api/v1/text" ->
                response.putHeader("content-type", "text/plain").end("plain");
            case "/api/v1/bytes" ->
                response.putHeader("content-type", "image/png")
                        .end(Buffer.buffer(new byte[] {(byte) 0x89, 'P', 'N', 'G', 0}));
            case "/api/v1/teapot" -> LocalServer.json(response, 418, "{\"message\":\"short and stout\"}");
            case "/api/v1/many" -> LocalServer.json(response, 200, MANY);
            case "/api/v1/broken" -> LocalServer.json(response, 500, "{\"detail\":\"no\"}");
            case "/api/v1/limited" -> {
                response.putHeader("retry-after", "3");
                LocalServer.json(response, 429, "{}");
            }
            default -> LocalServer.json(response, 200, "{\"path\":\"" + request.uri() + "\"}");
        }
    }

    private String settings(String more) {
        return "{\"base_url\":\"http://http.test:" + server.port() + "/api\",\"paths\":[\"/v1/**\",\"/one/*/end\"],"
                + "\"methods\":[\"GET\",\"POST\"],\"headers\":[\"X-Trace\",\"Host\",\"X-Api-Key\"],\"hosts\":[\"http://other.test:"
                + other.port() + "\"]" + more + "}";
    }

    private ActionResult call(String more, String credentials, String params) {
        return calls.call("http.request", settings(more), credentials, params);
    }

    @Test
    void getsWithQueryAndHeaders() {
        var result = Calls.done(
                call(
                        "",
                        "{}",
                        "{\"path\":\"/v1/things\",\"query\":{\"q\":\"a b&c=d\",\"n\":[1,2],\"none\":null},\"headers\":{\"X-Trace\":\"t1\"}}"));

        assertThat(result.path("status").asInt()).isEqualTo(200);
        assertThat(server.last().uri()).isEqualTo("/api/v1/things?q=a%20b%26c%3Dd&n=1&n=2");
        assertThat(server.last().header("x-trace")).isEqualTo("t1");
        assertThat(server.last().headers()).doesNotContainKey("authorization");
        assertThat(result.fieldNames()).toIterable().containsExactlyInAnyOrder("status", "body");
    }

    @Test
    void postsJsonAndText() {
        call("", "{}", "{\"method\":\"POST\",\"path\":\"/v1/things\",\"body\":{\"a\":[1]}}");
        assertThat(server.last().body()).isEqualTo("{\"a\":[1]}");
        assertThat(server.last().header("content-type")).isEqualTo("application/json");

        call("", "{}", "{\"method\":\"POST\",\"path\":\"/v1/things\",\"body\":\"héllo\"}");
        assertThat(server.last().body()).isEqualTo("héllo");
        assertThat(server.last().header("content-type")).startsWith("text/plain");
    }

    @Test
    void answersTextAndBytesAndErrorsAsTheyAre() {
        assertThat(Calls.done(call("", "{}", "{\"path\":\"/v1/text\"}"))
                        .path("body")
                        .asText())
                .isEqualTo("plain");
        assertThat(Calls.done(call("", "{}", "{\"path\":\"/v1/bytes\"}"))
                        .path("body")
                        .path("base64")
                        .asText())
                .isEqualTo("iVBORwA=");
        assertThat(Calls.done(call("", "{}", "{\"path\":\"/v1/teapot\"}")))
                .isEqualTo(Calls.object("{\"status\":418,\"body\":{\"message\":\"short and stout\"}}"));
        assertThat(Calls.done(call("", "{}", "{\"path\":\"/v1/broken\"}"))
                        .path("status")
                        .asInt())
                .isEqualTo(500);
        assertThat(Calls.refused(call("", "{}", "{\"path\":\"/v1/limited\"}"))
                        .retryAfter()
                        .orElseThrow())
                .hasSeconds(3);
    }

    /** Seen to fail: with as many values as fit into the bytes of a result. */
    @Test
    void leavesAnAnswerOfTooManyValuesAsText() {
        assertThat(Calls.done(call("", "{}", "{\"path\":\"/v1/many\"}")).path("body"))
                .isEqualTo(TextNode.valueOf(MANY));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                ",\"auth\":\"bearer\"                                    | token    | authorization | Bearer canary/secret+value==",
                ",\"auth\":\"basic\",\"username\":\"u\"                  | password | authorization | Basic dTpjYW5hcnkvc2VjcmV0K3ZhbHVlPT0=",
                ",\"auth\":\"header\",\"header_name\":\"X-Api-Key\"      | value    | x-api-key     | canary/secret+value=="
            })
    void sendsTheCredentialInItsHeaderAndTellsNobody(String more, String member, String header, String sent) {
        String credentials = new JsonObject().put(member, SECRET).encode();

        ActionResult result = call(more, credentials, "{\"path\":\"/v1/echo\"}");

        assertThat(server.last().header(header)).isEqualTo(sent);
        assertThat(result.toString()).contains("redacted").doesNotContain("canary", "dTpjYW5hcnkv", "Y2FuYXJ5");
    }

    @Test
    void doesNotLetACallSetTheHeaderOfTheCredential() {
        String credentials = new JsonObject().put("value", SECRET).encode();

        var refused = Calls.refused(call(
                ",\"auth\":\"header\",\"header_name\":\"x-api-key\"",
                credentials,
                "{\"path\":\"/v1/echo\",\"headers\":{\"X-API-KEY\":\"mine\"}}"));

        assertThat(refused.status()).isEqualTo(403);
    }

    /** Seen to fail: with the credential put into every request of the connection. */
    @Test
    void sendsNoCredentialToAnotherHost() {
        var result = Calls.done(call(
                ",\"auth\":\"bearer\"",
                new JsonObject().put("token", SECRET).encode(),
                "{\"path\":\"/v1/x\",\"host\":\"http://other.test:" + other.port() + "\"}"));

        assertThat(result.path("status").asInt()).isEqualTo(200);
        assertThat(other.last().headers()).doesNotContainKey("authorization");
        assertThat(other.last().headers().toString()).doesNotContain("canary");
    }

    @Test
    void sendsTheIdempotencyKeyWhereTheSystemTakesOne() {
        try (Calls keyed = new Calls(vertx, "http").under("key-1")) {
            keyed.call(
                    "http.request",
                    settings(",\"idempotency_header\":\"Idempotency-Key\""),
                    "{}",
                    "{\"method\":\"POST\",\"path\":\"/v1/x\",\"body\":{}}");

            assertThat(server.last().header("idempotency-key")).isEqualTo("key-1");
        }
    }

    static List<String> notAllowed() {
        return List.of(
                "{\"path\":\"/v2/x\"}",
                "{\"path\":\"/v1\"}",
                "{\"path\":\"/one/two/three/end\"}",
                "{\"path\":\"/one//end\"}",
                "{\"path\":\"/v1/x\",\"method\":\"DELETE\"}",
                "{\"path\":\"/v1/x\",\"method\":\"CONNECT\"}",
                "{\"path\":\"/v1/x\",\"method\":\"TRACE\"}",
                "{\"path\":\"/v1/x\",\"method\":\"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET\"}",
                "{\"path\":\"/v1/x\",\"headers\":{\"Host\":\"internal\"}}",
                "{\"path\":\"/v1/x\",\"headers\":{\"Authorization\":\"Bearer mine\"}}",
                "{\"path\":\"/v1/x\",\"headers\":{\"Transfer-Encoding\":\"chunked\"}}",
                "{\"path\":\"/v1/x\",\"headers\":{\"X-Other\":\"1\"}}",
                "{\"path\":\"/v1/x\",\"headers\":{\"X-Trace\":\"a\\r\\nX-Evil: 1\"}}",
                "{\"path\":\"/v1/x\",\"headers\":{\"X-Trace\\r\\nX-Evil\":\"1\"}}",
                "{\"path\":\"/v1/x\",\"host\":\"http://internal.test\"}",
                "{\"path\":\"http://internal.test/v1/x\"}",
                "{\"path\":\"//internal.test/v1/x\"}",
                "{\"path\":\"/v1//internal.test\"}",
                "{\"path\":\"/v1/../admin\"}",
                "{\"path\":\"/v1/%2e%2e/admin\"}",
                "{\"path\":\"/v1/.%2E/admin\"}",
                "{\"path\":\"/v1/%252e%252e/admin\"}",
                "{\"path\":\"/v1/..;/admin\"}",
                "{\"path\":\"/v1/..%2fadmin\"}",
                "{\"path\":\"/v1/..%5cadmin\"}",
                "{\"path\":\"/v1/..\\\\admin\"}",
                "{\"path\":\"/v1/%c0%ae%c0%ae/admin\"}",
                "{\"path\":\"/v1/x%0d%0aX-Evil:%201\"}",
                "{\"path\":\"/v1/x\\r\\nX-Evil: 1\"}",
                "{\"path\":\"/v1/x y\"}",
                "{\"path\":\"/v1/x?a=b\"}",
                "{\"path\":\"/v1/x#a\"}",
                "{\"path\":\"/v1/%\"}",
                "{\"path\":\"\"}",
                "{\"path\":\"*\"}",
                "{\"path\":\"@internal.test/v1\"}");
    }

    /** Seen to fail: with the path sent as it was written, and compared decoded. */
    @ParameterizedTest
    @MethodSource("notAllowed")
    void refusesWhatTheConnectionDoesNotAllow(String params) {
        int before = server.received().size() + other.received().size();

        var refused = Calls.refused(call("", "{}", params));

        assertThat(refused.status()).isIn(400, 403);
        assertThat(server.received().size() + other.received().size()).isEqualTo(before);
    }

    @ParameterizedTest
    @CsvSource({
        "/v1/a, /api/v1/a",
        "/v1/%61%7E, /api/v1/a~",
        "/v1/caf%c3%a9, /api/v1/caf%C3%A9",
        "/v1/a:b@c, /api/v1/a:b@c",
        "/one/x/end, /api/one/x/end",
        "/v1/, /api/v1/"
    })
    void sendsOneSpelling(String path, String sent) {
        Calls.done(call("", "{}", new JsonObject().put("path", path).encode()));

        assertThat(server.last().uri()).isEqualTo(sent);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\r\nX-Evil: 1", "a\nb", "a\u0000b", "schlüssel"})
    void refusesACredentialThatIsMoreThanALine(String secret) {
        int before = server.received().size();

        var refused = Calls.refused(call(
                ",\"auth\":\"bearer\"", new JsonObject().put("token", secret).encode(), "{\"path\":\"/v1/x\"}"));

        assertThat(refused.code()).isEqualTo("invalid_auth");
        assertThat(refused.message()).doesNotContain(secret);
        assertThat(server.received()).hasSize(before);
    }

    @Test
    void checksItsHealth() {
        assertThat(Calls.done(calls.call("http.ping", settings(",\"health_path\":\"v1/health\""), "{}", "{}"))
                        .path("ok")
                        .asBoolean())
                .isTrue();
        assertThat(server.last().uri()).isEqualTo("/api/v1/health");
    }
}
