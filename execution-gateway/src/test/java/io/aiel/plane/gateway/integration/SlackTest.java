package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Slack's actions against a server that answers as its Web API does: 200 for almost everything, and {@code ok} says what is true. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SlackTest {
    private static final String TOKEN = "xoxb-1111-2222-canarytoken";
    private static final String CREDENTIALS = Calls.texts(Map.of("bot_token", TOKEN));

    private final Vertx vertx = Vertx.vertx();
    private LocalServer slack;
    private Calls calls;
    private String settings;

    @BeforeAll
    void start() {
        slack = LocalServer.start(vertx, SlackTest::answer);
        calls = new Calls(vertx, "slack");
        settings = Calls.texts(Map.of("base_url", "http://slack.test:" + slack.port() + "/api"));
    }

    @AfterAll
    void stop() {
        calls.close();
        slack.close();
        vertx.close();
    }

    private static void answer(LocalServer.Received request, HttpServerResponse response) {
        if (!request.header("authorization").equals("Bearer " + TOKEN)) {
            LocalServer.json(response, 200, "{\"ok\":false,\"error\":\"invalid_auth\"}");
        } else if (request.uri().equals("/api/auth.test")) {
            LocalServer.json(
                    response,
                    200,
                    "{\"ok\":true,\"url\":\"https://subarachnoid.slack.com/\",\"team\":\"Subarachnoid Workspace\","
                            + "\"user\":\"grace\",\"team_id\":\"T12345678\",\"user_id\":\"W12345678\",\"bot_id\":\"B0123\"}");
        } else if (request.uri().equals("/api/chat.postMessage")) {
            post(request, response);
        } else {
            LocalServer.json(response, 200, "{\"ok\":false,\"error\":\"unknown_method\"}");
        }
    }

    private static void post(LocalServer.Received request, HttpServerResponse response) {
        String channel = request.json().getString("channel");
        switch (channel) {
            case "C123ABC456" ->
                LocalServer.json(
                        response,
                        200,
                        "{\"ok\":true,\"channel\":\"C123ABC456\",\"ts\":\"1503435956.000247\",\"message\":{\"text\":\""
                                + request.json().getString("text")
                                + "\",\"type\":\"message\",\"ts\":\"1503435956.000247\"}}");
            case "C0LIMIT" -> {
                response.putHeader("retry-after", "7");
                LocalServer.json(response, 429, "{\"ok\":false,\"error\":\"ratelimited\"}");
            }
            case "C0DOWN" -> response.setStatusCode(503).end("upstream connect error");
            case "C0BROKEN" -> response.setStatusCode(500).end();
            case "C0HTML" -> response.putHeader("content-type", "text/html").end("<html>maintenance</html>");
            default -> LocalServer.json(response, 200, "{\"ok\":false,\"error\":\"" + channel + "\"}");
        }
    }

    @ParameterizedTest
    @CsvSource({"slack.auth_test", "slack.api_test"})
    void saysWhoTheTokenIs(String action) {
        var result = Calls.done(calls.call(action, settings, CREDENTIALS, "{}"));

        assertThat(result.path("user_id").asText()).isEqualTo("W12345678");
        assertThat(result.path("user").asText()).isEqualTo("grace");
        assertThat(result.path("team").asText()).isEqualTo("Subarachnoid Workspace");
        assertThat(result.path("team_id").asText()).isEqualTo("T12345678");
        assertThat(result.path("url").asText()).isEqualTo("https://subarachnoid.slack.com/");
        assertThat(result.path("bot_id").asText()).isEqualTo("B0123");
        assertThat(slack.last().header("host")).isEqualTo("slack.test:" + slack.port());
    }

    @Test
    void postsAMessage() {
        var result = Calls.done(calls.call(
                "slack.post_message", settings, CREDENTIALS, "{\"channel\":\"C123ABC456\",\"text\":\"hello\"}"));

        assertThat(result.path("ok").asBoolean()).isTrue();
        assertThat(result.path("channel").asText()).isEqualTo("C123ABC456");
        assertThat(result.path("ts").asText()).isEqualTo("1503435956.000247");
        assertThat(slack.last().json().getMap()).isEqualTo(Map.of("channel", "C123ABC456", "text", "hello"));
        assertThat(slack.last().header("content-type")).isEqualTo("application/json; charset=utf-8");
    }

    @Test
    void repliesInAThread() {
        calls.call(
                "slack.post_message",
                settings,
                CREDENTIALS,
                "{\"channel\":\"C123ABC456\",\"text\":\"hello\",\"thread_ts\":\"1482960137.003543\"}");

        assertThat(slack.last().json().getString("thread_ts")).isEqualTo("1482960137.003543");
    }

    @ParameterizedTest
    @CsvSource({
        "channel_not_found, not_found, 404",
        "not_in_channel, forbidden, 403",
        "missing_scope, forbidden, 403",
        "token_revoked, invalid_auth, 409",
        "is_archived, conflict, 409",
        "ratelimited, rate_limited, 429",
        "service_unavailable, unavailable, 502",
        "msg_too_long, rejected, 422",
        "some_error_of_tomorrow, rejected, 422"
    })
    void saysWhatSlackRefused(String error, String code, int status) {
        var refused = Calls.refused(calls.call(
                "slack.post_message", settings, CREDENTIALS, "{\"channel\":\"" + error + "\",\"text\":\"x\"}"));

        assertThat(refused.code()).isEqualTo(code);
        assertThat(refused.status()).isEqualTo(status);
        if (!code.equals("invalid_auth")) {
            assertThat(refused.message()).contains(error);
        }
    }

    @Test
    void passesOnHowLongToWait() {
        var refused = Calls.refused(
                calls.call("slack.post_message", settings, CREDENTIALS, "{\"channel\":\"C0LIMIT\",\"text\":\"x\"}"));

        assertThat(refused.code()).isEqualTo("rate_limited");
        assertThat(refused.status()).isEqualTo(429);
        assertThat(refused.retryAfter()).contains(Duration.ofSeconds(7));
    }

    @Test
    void refusesABadTokenWithAStatusThatNobodyRetries() {
        var refused = Calls.refused(
                calls.call("slack.auth_test", settings, Calls.texts(Map.of("bot_token", "xoxb-another")), "{}"));

        assertThat(refused.code()).isEqualTo("invalid_auth");
        assertThat(refused.status()).isNotIn(408, 429, 500, 502, 503, 504);
    }

    /** Seen to fail: with a failure of theirs taken for a refusal, which clients then sent again. */
    @ParameterizedTest
    @CsvSource({"fatal_error", "internal_error", "C0BROKEN", "C0HTML"})
    void doesNotKnowOfAMessageWhoseAnswerSaysNothing(String channel) {
        assertThat(calls.call(
                        "slack.post_message",
                        settings,
                        CREDENTIALS,
                        "{\"channel\":\"" + channel + "\",\"text\":\"x\"}"))
                .isInstanceOf(ActionResult.Unknown.class);
    }

    @Test
    void saysThatSlackIsDown() {
        var refused = Calls.refused(
                calls.call("slack.post_message", settings, CREDENTIALS, "{\"channel\":\"C0DOWN\",\"text\":\"x\"}"));

        assertThat(refused.code()).isEqualTo("unavailable");
        assertThat(refused.status()).isEqualTo(502);
    }

    @Test
    void hasNoOtherAction() {
        assertThat(Calls.refused(calls.call("slack.delete_everything", settings, CREDENTIALS, "{}"))
                        .status())
                .isEqualTo(404);
    }
}
