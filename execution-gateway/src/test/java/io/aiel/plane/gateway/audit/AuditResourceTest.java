package io.aiel.plane.gateway.audit;

import static io.restassured.RestAssured.given;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.gateway.identity.Bootstrap;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.vertx.VertxContextSupport;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.erdtman.jcs.JsonCanonicalizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What auditors are told over HTTP, with the whole pipeline behind it. */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class AuditResourceTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Inject
    Bootstrap bootstrap;

    @Inject
    PolicyEngine policy;

    private String admin = "";
    private String auditor = "";
    private String auditorTokenId = "";

    @BeforeEach
    void signIn() throws Throwable {
        AuditServers.until("the policy engine is ready", policy::ready);
        admin = VertxContextSupport.subscribeAndAwait(() -> bootstrap.ensureDevelopment());
        JsonNode minted = mint("auditor");
        auditor = minted.path("token").asText();
        auditorTokenId = minted.path("id").asText(minted.path("token_id").asText());
    }

    @Test
    void showsAuditorsAControlChangeWithTheHashOfItsBytes() throws Exception {
        AuditServers.until(
                "the change is in the log", () -> !changesOf(auditorTokenId).isEmpty());

        JsonNode found = changesOf(auditorTokenId).getFirst();

        JsonNode event = found.path("event");
        assertThat(event.path("type").asText()).isEqualTo("io.aiel.plane.control.changed.v1");
        String canonical = new JsonCanonicalizer(event.toString()).getEncodedString();
        assertThat(found.path("hash").asText()).isEqualTo(Digest.of(canonical).value());
    }

    @Test
    void recordsWhoReadTheLog() {
        String marker = Ids.create("exec");
        assertThat(read(auditor, Map.of("execution", marker)).statusCode()).isEqualTo(200);

        AuditServers.until(
                "the reading is in the log",
                () -> events(Map.of("type", "audit.read")).stream()
                        .anyMatch(found -> found.path("event")
                                .path("data")
                                .path("query")
                                .asText()
                                .contains(marker)));
    }

    @Test
    void refusesWhoMayNotReadAndRecordsTheRefusal() {
        JsonNode viewer = mint("viewer");
        String requestId = "audit-test-" + Ids.create("req");

        Response refused = given().header("X-API-Token", viewer.path("token").asText())
                .header("X-Request-Id", requestId)
                .get("/v1/audit/events");

        assertThat(refused.statusCode()).as(refused.asString()).isEqualTo(403);
        AuditServers.until(
                "the refusal is in the log",
                () -> events(Map.of("decision", "deny", "type", "access.denied")).stream()
                        .anyMatch(found ->
                                found.path("event").path("requestid").asText().equals(requestId)));
        assertThat(given().get("/v1/audit/events").statusCode()).isEqualTo(401);
    }

    @ParameterizedTest
    @CsvSource({
        "limit, 0",
        "limit, 501",
        "limit, many",
        "order, sideways",
        "type, execution.imagined",
        "principal, ada",
        "execution, 1",
        "decision, maybe",
        "from, yesterday",
        "cursor, made-up",
        "colour, red",
    })
    void namesTheParameterThatIsWrong(String name, String value) {
        Response answer = read(auditor, Map.of(name, value));

        assertThat(answer.statusCode()).as(answer.asString()).isEqualTo(400);
        assertThat(answer.asString()).contains("query:" + name);
    }

    @Test
    void pagesByCursor() {
        AuditServers.until(
                "there is something to page through",
                () -> events(Map.of("limit", "3")).size() == 3);
        String to = events(Map.of("limit", "3"))
                .getLast()
                .path("event")
                .path("time")
                .asText();

        List<String> ids = new ArrayList<>();
        String cursor = "";
        do {
            Map<String, String> query = cursor.isEmpty()
                    ? Map.of("to", to, "limit", "2")
                    : Map.of("to", to, "limit", "2", "cursor", cursor);
            JsonNode page = json(read(auditor, query));
            page.path("events")
                    .forEach(found -> ids.add(found.path("event").path("id").asText()));
            cursor = page.path("next_cursor").isNull()
                    ? ""
                    : page.path("next_cursor").asText();
        } while (!cursor.isEmpty() && ids.size() < 20);

        List<String> atOnce = events(Map.of("to", to, "limit", "20")).stream()
                .map(found -> found.path("event").path("id").asText())
                .toList();
        assertThat(ids).isNotEmpty().isEqualTo(atOnce);
    }

    private List<JsonNode> changesOf(String subject) {
        return events(Map.of("type", "control.changed", "limit", "500")).stream()
                .filter(found -> found.path("event")
                        .path("data")
                        .path("subject_id")
                        .asText()
                        .equals(subject))
                .toList();
    }

    private List<JsonNode> events(Map<String, String> query) {
        Response answer = read(auditor, query);
        assertThat(answer.statusCode()).as(answer.asString()).isEqualTo(200);
        List<JsonNode> found = new ArrayList<>();
        json(answer).path("events").forEach(found::add);
        return found;
    }

    private static Response read(String token, Map<String, String> query) {
        return given().header("X-API-Token", token).queryParams(query).get("/v1/audit/events");
    }

    private JsonNode mint(String role) {
        Response minted = given().header("X-API-Token", admin)
                .contentType("application/json")
                .body("{\"name\": \"audit-test\", \"scopes\": [\"*\"], \"roles\": [\"" + role + "\"]}")
                .post("/v1/tokens");
        assertThat(minted.statusCode()).as(minted.asString()).isEqualTo(201);
        return json(minted);
    }

    private static JsonNode json(Response answer) {
        try {
            return JSON.readTree(answer.asString());
        } catch (java.io.IOException e) {
            throw new AssertionError(answer.asString(), e);
        }
    }
}
