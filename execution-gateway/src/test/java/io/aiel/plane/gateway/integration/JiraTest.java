package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Jira's actions against a server that answers as the REST API v3 of Jira Cloud does. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JiraTest {
    private static final String TOKEN = "ATATT3xCanaryToken=1A2B";
    private static final String OAUTH = "eyJraWQcanary.oauth.token";
    private static final String BASIC = "Basic "
            + Base64.getEncoder().encodeToString(("mia@example.com:" + TOKEN).getBytes(StandardCharsets.UTF_8));
    private static final String CREDENTIALS = Calls.texts(Map.of("api_token", TOKEN));
    private static final String ADF =
            "{\"type\":\"doc\",\"version\":1,\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}";

    private final Vertx vertx = Vertx.vertx();
    private LocalServer jira;
    private Calls calls;
    private String settings;

    @BeforeAll
    void start() {
        jira = LocalServer.start(vertx, JiraTest::answer);
        calls = new Calls(vertx, "jira");
        settings = Calls.texts(Map.of("base_url", "http://jira.test:" + jira.port(), "email", "mia@example.com"));
    }

    @AfterAll
    void stop() {
        calls.close();
        jira.close();
        vertx.close();
    }

    private static void answer(LocalServer.Received request, HttpServerResponse response) {
        String authorization = request.header("authorization");
        String path = request.path().replaceFirst("^/ex/jira/1324a887-45db-1bf4-1e99-ef0ff456d421", "");
        if (!authorization.equals(BASIC) && !authorization.equals("Bearer " + OAUTH)) {
            response.setStatusCode(401)
                    .putHeader("content-type", "text/html")
                    .end("Client must be authenticated to access this resource.");
            return;
        }
        switch (request.method() + " " + path) {
            case "GET /rest/api/3/myself" ->
                LocalServer.json(
                        response,
                        200,
                        "{\"self\":\"https://your-domain.atlassian.net/rest/api/3/user?accountId=5b10a2844c20165700ede21g\","
                                + "\"accountId\":\"5b10a2844c20165700ede21g\",\"emailAddress\":\"mia@example.com\",\"displayName\":\"Mia Krystof\",\"active\":true}");
            case "GET /rest/api/3/serverInfo" ->
                LocalServer.json(
                        response,
                        200,
                        "{\"baseUrl\":\"https://your-domain.atlassian.net\",\"version\":\"1001.0.0-SNAPSHOT\",\"deploymentType\":\"Cloud\",\"serverTitle\":\"My Jira\"}");
            case "GET /oauth/token/accessible-resources" ->
                LocalServer.json(
                        response,
                        200,
                        "[{\"id\":\"1324a887-45db-1bf4-1e99-ef0ff456d421\",\"name\":\"Site name\",\"url\":\"https://your-domain.atlassian.net\",\"scopes\":[\"write:jira-work\"],\"avatarUrl\":\"https://site.png\"}]");
            case "POST /rest/api/3/issue" -> create(request, response);
            case "POST /rest/api/3/issue/ED-24/comment" ->
                LocalServer.json(
                        response,
                        201,
                        new JsonObject()
                                .put("id", "10000")
                                .put("body", request.json().getJsonObject("body"))
                                .encode());
            case "POST /rest/api/3/issue/ED-24/transitions" -> {
                if (request.json().getJsonObject("transition").getString("id").equals("5")) {
                    response.setStatusCode(204).end();
                } else {
                    LocalServer.json(
                            response,
                            400,
                            "{\"errorMessages\":[\"It seems that you have tried to perform an invalid workflow operation.\"],\"errors\":{}}");
                }
            }
            case "POST /rest/api/3/issue/ED-429/comment" -> {
                response.putHeader("retry-after", "30").putHeader("x-ratelimit-reset", "2026-03-01T00:00Z");
                LocalServer.json(response, 429, "{\"errorMessages\":[\"Rate limit exceeded.\"]}");
            }
            default ->
                LocalServer.json(
                        response,
                        404,
                        "{\"errorMessages\":[\"Issue does not exist or you do not have permission to see it.\"],\"errors\":{}}");
        }
    }

    private static void create(LocalServer.Received request, HttpServerResponse response) {
        JsonObject fields = request.json().getJsonObject("fields");
        if (!"ED".equals(fields.getJsonObject("project").getString("key"))) {
            LocalServer.json(
                    response, 400, "{\"errorMessages\":[],\"errors\":{\"project\":\"valid project is required\"}}");
        } else if ("Secret".equals(fields.getJsonObject("issuetype").getString("name"))) {
            LocalServer.json(
                    response,
                    403,
                    "{\"errorMessages\":[\"You do not have permission to create issues in this project.\"],\"errors\":{}}");
        } else {
            LocalServer.json(
                    response,
                    201,
                    "{\"id\":\"10000\",\"key\":\"ED-24\",\"self\":\"https://your-domain.atlassian.net/rest/api/3/issue/10000\"}");
        }
    }

    @Test
    void saysWhoOneIs() {
        var result = Calls.done(calls.call("jira.myself", settings, CREDENTIALS, "{}"));

        assertThat(result.path("accountId").asText()).isEqualTo("5b10a2844c20165700ede21g");
        assertThat(result.path("displayName").asText()).isEqualTo("Mia Krystof");
        assertThat(result.path("emailAddress").asText()).isEqualTo("mia@example.com");
    }

    @Test
    void listsTheSiteOfAnApiToken() {
        var result = Calls.done(calls.call("jira.list_sites", settings, CREDENTIALS, "{}"));

        assertThat(result)
                .isEqualTo(Calls.object(
                        "{\"sites\":[{\"name\":\"My Jira\",\"url\":\"https://your-domain.atlassian.net\"}]}"));
    }

    @Test
    void listsTheSitesOfAnAccessToken() {
        String oauth = Calls.texts(Map.of(
                "base_url", "http://jira.test:" + jira.port() + "/ex/jira/1324a887-45db-1bf4-1e99-ef0ff456d421"));

        var result = Calls.done(calls.call("jira.list_sites", oauth, Calls.texts(Map.of("access_token", OAUTH)), "{}"));

        assertThat(jira.last().path()).isEqualTo("/oauth/token/accessible-resources");
        assertThat(result.path("sites").path(0).path("name").asText()).isEqualTo("Site name");
        assertThat(result.path("sites").path(0).path("id").asText()).startsWith("1324a887");

        Calls.done(calls.call("jira.myself", oauth, Calls.texts(Map.of("access_token", OAUTH)), "{}"));
        assertThat(jira.last().path()).isEqualTo("/ex/jira/1324a887-45db-1bf4-1e99-ef0ff456d421/rest/api/3/myself");
    }

    @Test
    void createsAnIssueOfItsParts() {
        var result = Calls.done(calls.call(
                "jira.create_issue",
                settings,
                CREDENTIALS,
                "{\"project_key\":\"ED\",\"summary\":\"Main order flow broken\",\"description\":" + ADF + "}"));

        assertThat(result.path("key").asText()).isEqualTo("ED-24");
        JsonObject fields = jira.last().json().getJsonObject("fields");
        assertThat(fields.getJsonObject("issuetype").getString("name")).isEqualTo("Task");
        assertThat(fields.getString("summary")).isEqualTo("Main order flow broken");
        assertThat(fields.getJsonObject("description")).isEqualTo(new JsonObject(ADF));
    }

    @Test
    void createsAnIssueOfFieldsAsTheyAre() {
        String fields = "{\"project\":{\"key\":\"ED\"},\"issuetype\":{\"name\":\"Bug\"},\"customfield_10010\":1}";

        Calls.done(calls.call("jira.create_issue", settings, CREDENTIALS, "{\"fields\":" + fields + "}"));

        assertThat(jira.last().json()).isEqualTo(new JsonObject("{\"fields\":" + fields + "}"));
    }

    @Test
    void addsAComment() {
        var result = Calls.done(calls.call(
                "jira.add_comment", settings, CREDENTIALS, "{\"issue_key\":\"ED-24\",\"body\":" + ADF + "}"));

        assertThat(result.path("id").asText()).isEqualTo("10000");
        assertThat(jira.last().json()).isEqualTo(new JsonObject("{\"body\":" + ADF + "}"));
    }

    @Test
    void movesAnIssueOn() {
        var result = Calls.done(calls.call(
                "jira.transition_issue", settings, CREDENTIALS, "{\"issue_key\":\"ED-24\",\"transition_id\":\"5\"}"));

        assertThat(result).isEqualTo(Calls.object("{\"ok\":true,\"issue_key\":\"ED-24\",\"transition_id\":\"5\"}"));
    }

    @Test
    void saysWhatJiraRefused() {
        var move = Calls.refused(calls.call(
                "jira.transition_issue", settings, CREDENTIALS, "{\"issue_key\":\"ED-24\",\"transition_id\":\"9\"}"));
        var project = Calls.refused(
                calls.call("jira.create_issue", settings, CREDENTIALS, "{\"project_key\":\"NO\",\"summary\":\"x\"}"));
        var type = Calls.refused(calls.call(
                "jira.create_issue",
                settings,
                CREDENTIALS,
                "{\"project_key\":\"ED\",\"summary\":\"x\",\"issue_type\":\"Secret\"}"));
        var missing = Calls.refused(
                calls.call("jira.add_comment", settings, CREDENTIALS, "{\"issue_key\":\"ED-9\",\"body\":" + ADF + "}"));
        var limited = Calls.refused(calls.call(
                "jira.add_comment", settings, CREDENTIALS, "{\"issue_key\":\"ED-429\",\"body\":" + ADF + "}"));

        assertThat(move.message()).contains("invalid workflow operation");
        assertThat(move.status()).isEqualTo(422);
        assertThat(project.message()).contains("project: valid project is required");
        assertThat(project.status()).isEqualTo(422);
        assertThat(type.code()).isEqualTo("forbidden");
        assertThat(missing.code()).isEqualTo("not_found");
        assertThat(limited.retryAfter().orElseThrow()).hasSeconds(30);
    }

    @Test
    void refusesABadTokenAndOneWithoutAnAddress() {
        String wrong = Calls.texts(Map.of("api_token", "another token"));
        String bare = Calls.texts(Map.of("base_url", "http://jira.test:" + jira.port()));

        assertThat(Calls.refused(calls.call("jira.myself", settings, wrong, "{}"))
                        .code())
                .isEqualTo("invalid_auth");
        assertThat(Calls.refused(calls.call("jira.myself", bare, CREDENTIALS, "{}"))
                        .code())
                .isEqualTo("connection_invalid");
        assertThat(Calls.refused(calls.call("jira.myself", settings, "{}", "{}"))
                        .code())
                .isEqualTo("invalid_auth");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../../myself", "..", "ED-24/comment", "ED-24\\..", "", ".", "ED\r\nX: y", "..;x"})
    void keepsAKeyOneSegment(String key) {
        int before = jira.received().size();

        var refused = Calls.refused(calls.call(
                "jira.add_comment",
                settings,
                CREDENTIALS,
                "{\"issue_key\":"
                        + new JsonObject().put("k", key).encode().substring(5).replaceFirst("}$", "") + ",\"body\":"
                        + ADF + "}"));

        assertThat(refused.status()).isEqualTo(400);
        assertThat(jira.received()).hasSize(before);
    }
}
