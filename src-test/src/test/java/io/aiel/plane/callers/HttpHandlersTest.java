package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** HTTP handlers of pushed code at their own paths: each call an execution, each answer the handler's or a problem document. */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class HttpHandlersTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final String ORIGIN = "https://app.example.com";
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import base64
            import uuid

            from aiel_sdk import get_registry, http
            from aiel_sdk.exports import HttpHandlerExport


            @http.get("/")
            def root(ctx, request):
                return {"root": True}


            @http.get("/echo")
            def echo(ctx, request):
                return {"request": request, "same": ctx.http["headers"] == request["headers"]}


            @http.get("/users/{id}")
            def user(ctx, request):
                return {"id": request["path_params"]["id"], "path": request["path"]}


            @http.get("/users/me")
            def me(ctx, request):
                return {"me": True, "keys": sorted(request)}


            @http.post("/users/{id}")
            async def change(ctx, body):
                return {"status_code": 201, "id": ctx.http["path_params"]["id"], "body": body, "query": ctx.http["query"]}


            @http.post("/made")
            def made(ctx, body):
                return {"made": str(uuid.uuid4())}


            @http.get("/download")
            def download(ctx, request):
                return {"status": 200, "headers": {"Content-Type": "image/png", "Set-Cookie": "a=b"}, "is_base64": True,
                        "body": base64.b64encode(bytes(range(8))).decode()}


            @http.get("/gone")
            def gone(ctx, request):
                return {"status": 204, "body": ""}


            @http.get("/split")
            def split(ctx, request):
                return {"status": 200, "headers": {"X-A": "a\\r\\nX-B: b"}, "body": "x"}


            @http.get("/fails")
            def fails(ctx, request):
                raise RuntimeError("the cupboard is bare")


            class Teapot(Exception):
                status_code = 418


            @http.get("/teapot")
            def teapot(ctx, request):
                raise Teapot("short and stout")


            def put(ctx, body):
                return {"put": body}


            get_registry().http_handlers.append(HttpHandlerExport("PUT", "/things/{id}", put, __name__, "put", False))
            """);

    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void push(PackagedPlane shared) {
        plane = shared;
        project = plane.newProject("handlers");
        project.push(CODE);
        get("/").expect(200);
    }

    private static Answer get(String path, String... headers) {
        return project.client().get(project.path() + "/http" + path, headers);
    }

    private static Answer send(String method, String path, String body, String... headers) {
        return project.client().send(method, project.path() + "/http" + path, body, headers);
    }

    @Test
    void givesTheHandlerTheRequestAsTheRuntimeMakesIt() {
        JsonNode request =
                get("/echo?a=1&b=2&b=3&c=%C3%A4+%26", "X-A", "1").expect(200).path("request");

        assertThat(request.properties().stream().map(Map.Entry::getKey))
                .containsExactlyInAnyOrder("method", "path", "query", "headers", "body");
        assertThat(request.path("method").asText()).isEqualTo("GET");
        assertThat(request.path("path").asText()).isEqualTo("/echo");
        assertThat(request.path("query").toString()).isEqualTo("{\"a\":\"1\",\"b\":[\"2\",\"3\"],\"c\":\"ä &\"}");
        assertThat(request.at("/headers/x-a").asText()).isEqualTo("1");
        assertThat(request.path("body").toString()).isEqualTo("{}");
    }

    @Test
    void givesNoTokenAndNoCookieToTheCode() {
        String answer = get("/echo", "Cookie", "session=1").text();

        assertThat(answer).doesNotContain(project.client().token()).doesNotContain("session=1", "authorization");
    }

    @Test
    void prefersTheExactPathAndFillsParametersOtherwise() {
        assertThat(get("/users/me").expect(200).path("me").asBoolean()).isTrue();
        assertThat(get("/users/me").json().path("keys").toString()).doesNotContain("path_params");
        assertThat(get("/users/%C3%A4%20b").expect(200).toString())
                .isEqualTo("{\"id\":\"ä b\",\"path\":\"/users/ä b\"}");
        Answer changed = send("POST", "/users/7?x=y", "{\"a\": 1.50}");
        assertThat(changed.status()).isEqualTo(201);
        assertThat(changed.text())
                .isEqualTo("{\"status_code\":201,\"id\":\"7\",\"body\":{\"a\":1.5},\"query\":{\"x\":\"y\"}}");
        assertThat(send("PUT", "/things/1", "").expect(200).toString()).isEqualTo("{\"put\":{}}");
    }

    @Test
    void isAnExecutionThatIsDecidedAdmittedAndClosed() {
        Answer answer = get("/users/7");
        String id = answer.headers().firstValue("Aiel-Execution-Id").orElseThrow();

        JsonNode row = project.execution(id);
        assertThat(row.path("status").asText()).isEqualTo("succeeded");
        assertThat(row.toString()).contains("GET /users/{id}");
        List<JsonNode> records = project.auditOf(id, found -> found.size() >= 4, LIMIT);
        assertThat(records.toString())
                .contains("execution.requested", "policy.decided", "execution.admitted", "execution.finished")
                .doesNotContain("/users/7");
    }

    @Test
    void deniesWhoMayNotInvoke() {
        PlaneClient viewer = project.client().as(plane.token("handlers viewer", List.of("viewer"), List.of("*")));

        Answer answer = viewer.get(project.path() + "/http/users/7");

        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.errorCode()).isEqualTo("POLICY_DENIED");
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        assertThat(answer.headers().firstValue("Aiel-Execution-Id")).isPresent();
    }

    @Test
    void saysWhatThereIsNot() {
        assertThat(get("/nowhere").status()).isEqualTo(404);
        assertThat(get("/users/7/").status()).isEqualTo(404);
        assertThat(get("/nowhere").errorCode()).isEqualTo("NOT_FOUND");
        Answer wrong = send("PATCH", "/users/me", "{}");
        assertThat(wrong.status()).isEqualTo(405);
        assertThat(wrong.headers().firstValue("Allow")).hasValue("GET, HEAD, OPTIONS, POST");
        assertThat(send("DELETE", "/users/me", "").status()).isEqualTo(405);
        Answer options = send("OPTIONS", "/things/1", "");
        assertThat(options.status()).isEqualTo(204);
        assertThat(options.headers().firstValue("Allow")).hasValue("OPTIONS, PUT");
        assertThat(send("OPTIONS", "/nowhere", "").status()).isEqualTo(404);
    }

    @Test
    void answersHeadLikeGetWithoutABody() {
        Answer head = send("HEAD", "/users/7", "");

        assertThat(head.status()).isEqualTo(200);
        assertThat(head.text()).isEmpty();
        assertThat(head.headers().firstValue("Aiel-Execution-Id")).isPresent();
        assertThat(head.headers().firstValue("Content-Type")).hasValue("application/json");
    }

    @Test
    void sendsWhatTheHandlerSays() {
        Answer file = get("/download");
        assertThat(file.status()).isEqualTo(200);
        assertThat(file.headers().firstValue("Content-Type")).hasValue("image/png");
        assertThat(file.headers().firstValue("Set-Cookie")).isEmpty();
        assertThat(file.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
        assertThat(file.text()).hasSize(8);
        assertThat(get("/gone").status()).isEqualTo(204);
        Answer split = get("/split");
        assertThat(split.status()).isEqualTo(501);
        assertThat(split.errorCode()).isEqualTo("OUTPUT_INVALID");
        assertThat(split.headers().firstValue("X-B")).isEmpty();
    }

    @Test
    void answersAFailureAsAProblemWithoutATraceback() {
        Answer failed = get("/fails");
        assertThat(failed.status()).isEqualTo(500);
        assertThat(failed.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        assertThat(failed.errorCode()).isEqualTo("USER_CODE_ERROR");
        assertThat(failed.json().path("status").asInt()).isEqualTo(500);
        assertThat(failed.text())
                .contains("the cupboard is bare")
                .doesNotContain("Traceback", "entry_point.py", "line");
        Answer teapot = get("/teapot");
        assertThat(teapot.status()).isEqualTo(418);
        assertThat(teapot.json().path("status").asInt()).isEqualTo(418);
    }

    @Test
    void refusesWhatTheContractOrTheLimitsDoNotAllow() {
        assertThat(send("POST", "/made", "[1]").errorCode()).isEqualTo("VALIDATION_ERROR");
        assertThat(send("POST", "/made", "{").errorCode()).isEqualTo("MALFORMED_REQUEST");
        assertThat(send("POST", "/made", "{\"a\":1,\"a\":2}").errorCode()).isEqualTo("MALFORMED_REQUEST");
        assertThat(send("POST", "/made", "a=b", "Content-Type", "application/x-www-form-urlencoded")
                        .status())
                .isEqualTo(415);
        assertThat(send("POST", "/made", "{\"a\": \"" + "x".repeat(7 << 20) + "\"}")
                        .status())
                .isEqualTo(413);
        assertThat(get("/" + "x".repeat(600)).errorCode()).isEqualTo("VALIDATION_ERROR");
    }

    @Test
    void runsARequestUnderOneKeyOnce() {
        Answer first = send("POST", "/made", "{}", "Idempotency-Key", "made-once", "X-Try", "1");
        Answer again = send("POST", "/made", "{}", "Idempotency-Key", "made-once", "X-Try", "2");

        assertThat(again.text()).isEqualTo(first.text());
        assertThat(again.headers().firstValue("Idempotency-Replayed")).hasValue("true");
        assertThat(again.headers().firstValue("Aiel-Execution-Id"))
                .isEqualTo(first.headers().firstValue("Aiel-Execution-Id"));
        assertThat(send("POST", "/made", "{\"a\": 1}", "Idempotency-Key", "made-once")
                        .errorCode())
                .isEqualTo("IDEMPOTENCY_KEY_REUSED");
    }

    @Test
    void runsNothingForAPathThatCanBeReadInTwoWays() {
        Wire wire = new Wire(plane.uri());
        String token = "Authorization: Bearer " + project.client().token();
        List<String> ran = new ArrayList<>();
        for (String way : List.of(
                "/users/..;/me",
                "/users;/me",
                "/users/%2fme",
                "/users%2f7",
                "/users%2F7",
                "//users/7",
                "/users//7",
                "/users/x/../7",
                "/users/%2e%2e/users/7",
                "/users/%2e/7",
                "/users/7%00",
                "/users/7%0d%0aX-A:%20b",
                "/users/%5c7",
                "/users/\\7",
                "/users/%c0%ae",
                "/users/%ff")) {
            Wire.Answer answer = wire.request("GET", project.path() + "/http" + way, token);
            if (answer.status() != 400 && answer.status() != 404) {
                ran.add(way + " → " + answer.status() + " " + answer.body());
            }
        }

        assertThat(ran).isEmpty();
    }

    @Test
    void letsPagesOfOriginsThatTheProjectNamesCallAndNoOthers() {
        String target = project.path() + "/http/users/7";
        String[] ask = {"Origin", ORIGIN, "Access-Control-Request-Method", "POST"};
        PlaneClient nobody = project.client().as("");

        Answer before = nobody.send("OPTIONS", target, "", ask);
        Answer unknown = nobody.send("OPTIONS", target.replace(project.id(), "proj_" + "0".repeat(32)), "", ask);
        assertThat(before.status()).isEqualTo(403);
        assertThat(unknown.text()).isEqualTo(before.text());

        project.client()
                .send("PUT", project.path() + "/settings", "{\"http\": {\"allowed_origins\": [\"" + ORIGIN + "\"]}}")
                .expect(200);
        Answer after = Waiting.until(
                LIMIT,
                () -> nobody.send("OPTIONS", target, "", ask),
                answer -> answer.status() == 204,
                "the origin to be allowed");
        assertThat(after.headers().firstValue("Access-Control-Allow-Origin")).hasValue(ORIGIN);
        assertThat(after.headers().firstValue("Access-Control-Allow-Credentials"))
                .isEmpty();
        assertThat(after.headers().firstValue("Aiel-Execution-Id")).isEmpty();
        Answer called = send("POST", "/users/7", "{\"a\": 1}", "Origin", ORIGIN);
        assertThat(called.status()).isEqualTo(201);
        assertThat(called.headers().firstValue("Access-Control-Allow-Origin")).hasValue(ORIGIN);
        assertThat(nobody.send("POST", target, "{}", "Origin", ORIGIN).status()).isEqualTo(401);
        Answer other = send("POST", "/users/7", "{}", "Origin", "https://evil.example.com");
        assertThat(other.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
        assertThat(nobody.send("OPTIONS", project.path() + "/executions", "", ask)
                        .headers()
                        .firstValue("Access-Control-Allow-Origin"))
                .as("handlers alone")
                .isEmpty();
        assertThat(project.client()
                        .send("PUT", project.path() + "/settings", "{\"http\": {\"allowed_origins\": [\"*\"]}}")
                        .text())
                .contains("\"pointer\":\"/http/allowed_origins/0\"");
        project.client().send("PUT", project.path() + "/settings", "{}").expect(200);
    }
}
