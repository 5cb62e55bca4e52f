package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the code in a worker can ask the plane itself: a token of its own, good for the one way that it has, for as long as it runs and for
 * what an execution may do.
 */
@ExtendWith(SharedPlane.class)
class WorkerApiTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static final String CODE = """
            import json, os, threading, time, urllib.error, urllib.request
            from aiel_sdk import tool

            def ask(method, path, token=None, body=None):
                headers = {"Content-Type": "application/json"}
                token = os.environ.get("AIEL_TOKEN") if token is None else token
                if token:
                    headers["Authorization"] = "Bearer " + token
                request = urllib.request.Request(os.environ["AIEL_BASE_URL"] + path, method=method, headers=headers,
                                                 data=None if body is None else json.dumps(body).encode())
                try:
                    with urllib.request.urlopen(request, timeout=15) as answer:
                        return {"answered": answer.status, "body": json.loads(answer.read() or b"null")}
                except urllib.error.HTTPError as problem:
                    return {"answered": problem.code, "body": json.loads(problem.read() or b"null")}
                except OSError as problem:
                    return {"answered": 0, "body": str(problem)}

            @tool("ask")
            def ask_for(ctx, event):
                return ask(event["method"], event["path"], event.get("token"), event.get("body"))

            @tool("environment")
            def environment(ctx, event):
                path = os.path.join(os.environ["HOME"], ".config/aiel/credentials.json")
                return {"token": os.environ.get("AIEL_TOKEN"), "base": os.environ.get("AIEL_BASE_URL"),
                        "execute": os.environ.get("AIEL_EXECUTE_URL"), "secrets": str(getattr(ctx, "secrets", None) or {}),
                        "profile": json.load(open(path)) if os.path.exists(path) else None}

            @tool("remember")
            def remember(ctx, event):
                from aiel_sdk import AielClient
                from aiel_sdk.memory import RemoteSaver, ThreadMessage
                saver = RemoteSaver(AielClient(base_url=os.environ["AIEL_BASE_URL"]))
                saver.thread_write(thread_key="customer/7", messages=[ThreadMessage(role="human", content=event["text"])])
                return {"messages": [m.content for m in saver.thread_read(thread_key="customer/7").messages]}

            def thread(key, *texts):
                from aiel_sdk import AielClient
                from aiel_sdk.memory import RemoteSaver, ThreadMessage
                saver = RemoteSaver(AielClient(base_url=os.environ["AIEL_BASE_URL"]))
                if texts:
                    saver.thread_write(thread_key=key, messages=[ThreadMessage(role="human", content=text) for text in texts])
                    return list(texts)
                try:
                    return [m.content for m in saver.thread_read(thread_key=key).messages]
                except Exception:
                    return []

            @tool("hold")
            def hold(ctx, event):
                thread("held", os.environ["AIEL_TOKEN"])
                end = time.monotonic() + 60
                while time.monotonic() < end and not thread("release"):
                    time.sleep(0.05)
                return ask("GET", "/v1/auth/me")

            @tool("take")
            def take(ctx, event):
                held = thread("held")
                if not held:
                    return {"found": False}
                seen = ask("GET", "/v1/auth/me", held[0])
                thread("release", "now")
                return {"found": True, "own": held[0] == os.environ["AIEL_TOKEN"], "seen": seen}

            @tool("go_on")
            def go_on(ctx, event):
                thread("going/" + event["key"], "now")
                end = time.monotonic() + 60
                answer = ask("GET", "/v1/auth/me")
                while time.monotonic() < end and answer["answered"] == 200:
                    time.sleep(0.05)
                    answer = ask("GET", "/v1/auth/me")
                return answer

            @tool("goes_on")
            def goes_on(ctx, event):
                return {"going": thread("going/" + event["key"])}

            @tool("where")
            def where(ctx, event):
                from aiel_cli.context.user_context import UserContext
                found = UserContext().load()
                return {"base_url": found.base_url, "tenant": found.tenant, "workspace": found.workspace,
                        "project": found.project, "own": found.token == os.environ["AIEL_TOKEN"]}

            last = {}

            @tool("leave_a_thread")
            def leave_a_thread(ctx, event):
                token = os.environ["AIEL_TOKEN"]
                def later():
                    while "stop" not in last:
                        last["seen"] = ask("GET", "/v1/auth/me", token)
                        last["asked"] = last.get("asked", 0) + 1
                        time.sleep(0.05)
                threading.Thread(target=later, daemon=True).start()
                return {"token": token, "pid": os.getpid()}

            @tool("look_at_the_thread")
            def look_at_the_thread(ctx, event):
                asked = last.get("asked", 0)
                while last.get("asked", 0) < asked + 3:
                    time.sleep(0.02)
                last["stop"] = True
                return {"seen": last.get("seen"), "pid": os.getpid()}
            """;

    private static Project project(PackagedPlane plane, boolean workerApi) {
        Project project =
                plane.newProject("inside-" + UUID.randomUUID().toString().substring(0, 8));
        project.client()
                .send(
                        "PUT",
                        project.path() + "/settings",
                        "{\"worker_api\": " + workerApi + "}",
                        "Content-Type",
                        "application/json")
                .expect(200);
        project.push(Map.of("entry_point.py", CODE));
        return project;
    }

    private static JsonNode result(Answer answer) {
        JsonNode envelope = answer.expect(200);
        assertThat(envelope.path("ok").asBoolean()).as(envelope.toString()).isTrue();
        return envelope.path("result");
    }

    @Test
    void answersTheCodeOfAnExecutionAndPutsItOnItsRecord(PackagedPlane plane) {
        Project project = project(plane, true);

        Answer answer = project.tool("ask", Map.of("method", "GET", "path", "/v1/auth/me"));

        JsonNode me = result(answer);
        assertThat(me.path("answered").asInt()).as(me.toString()).isEqualTo(200);
        assertThat(me.at("/body/workspaces/0/projects/0/id").asText()).isEqualTo(project.id());
        assertThat(me.at("/body/workspaces")).hasSize(1);
        String execution = answer.json().at("/meta/execution_id").asText();
        List<JsonNode> records = project.auditOf(
                execution,
                found -> found.stream().anyMatch(one -> one.toString().contains("execution.finished")),
                LIMIT);
        assertThat(records)
                .filteredOn(one -> one.at("/event/type").asText().equals("io.aiel.plane.execution.called.v1"))
                .singleElement()
                .satisfies(one -> {
                    assertThat(one.at("/event/data/action").asText()).isEqualTo("auth.me");
                    assertThat(one.at("/event/data").has("decision_id"))
                            .as("no policy is asked")
                            .isFalse();
                });
    }

    @Test
    void letsTheUnchangedSdkRememberAcrossExecutions(PackagedPlane plane) {
        Project project = project(plane, true);

        result(project.tool("remember", Map.of("text", "one")));
        Answer second = project.tool("remember", Map.of("text", "two"));

        assertThat(result(second).path("messages").valueStream().map(JsonNode::asText))
                .containsExactly("one", "two");
        List<JsonNode> records = project.auditOf(
                second.json().at("/meta/execution_id").asText(),
                found -> found.stream().anyMatch(one -> one.toString().contains("execution.finished")),
                LIMIT);
        assertThat(records)
                .filteredOn(one -> one.at("/event/type").asText().equals("io.aiel.plane.execution.called.v1"))
                .extracting(one -> one.at("/event/data/action").asText())
                .as("newest first")
                .containsExactly("memory.read", "memory.write");
    }

    @Test
    void givesTheCodeWhatTheSdkLooksForAndNothingMore(PackagedPlane plane) {
        JsonNode inside = result(project(plane, true).tool("environment", Map.of()));

        assertThat(inside.path("token").asText()).startsWith("aielp_exe_");
        assertThat(inside.path("base").asText()).isEqualTo("http://127.0.0.1:3129");
        assertThat(inside.path("execute").asText()).startsWith("http://127.0.0.1:3129/v1/workspaces/");
        assertThat(inside.at("/profile/profiles/default/token")).isEqualTo(inside.path("token"));
        assertThat(inside.path("secrets").asText()).isEqualTo("{}");
    }

    @Test
    void tellsThePublishedClientWhereItIs(PackagedPlane plane) {
        Project project = project(plane, true);

        JsonNode found = result(project.tool("where", Map.of()));

        JsonNode me = project.client().get("/v1/auth/me").expect(200);
        JsonNode workspace = me.path("workspaces")
                .valueStream()
                .filter(one -> one.path("projects")
                        .valueStream()
                        .anyMatch(each -> each.path("id").asText().equals(project.id())))
                .findFirst()
                .orElseThrow();
        assertThat(found.path("own").asBoolean()).isTrue();
        assertThat(found.path("base_url").asText()).isEqualTo("http://127.0.0.1:3129");
        assertThat(found.path("tenant")).isEqualTo(me.path("tenant_id"));
        for (String member : List.of("id", "slug", "name")) {
            assertThat(found.path("workspace").path(member)).isEqualTo(workspace.path(member));
            assertThat(found.path("project").path(member))
                    .isEqualTo(workspace
                            .path("projects")
                            .valueStream()
                            .filter(each -> each.path("id").asText().equals(project.id()))
                            .findFirst()
                            .orElseThrow()
                            .path(member));
        }
    }

    @Test
    void givesNothingWhereTheProjectDoesNotAskForIt(PackagedPlane plane) {
        Project project = project(plane, false);

        JsonNode inside = result(project.tool("environment", Map.of()));

        assertThat(inside.path("token").isNull()).isTrue();
        assertThat(inside.path("profile").isNull()).isTrue();
    }

    @Test
    void believesAnExecutionsTokenNeitherFromOutsideNorAfterItsEnd(PackagedPlane plane) {
        Project project = project(plane, true);
        String token =
                result(project.tool("leave_a_thread", Map.of())).path("token").asText();

        assertThat(project.client().as(token).get("/v1/auth/me").status()).isEqualTo(401);
        JsonNode thread = result(project.tool("look_at_the_thread", Map.of()));

        // The thread of the execution before has the way of this one by now, with a token that is over.
        assertThat(thread.at("/seen/answered").asInt()).as(thread.toString()).isEqualTo(401);
    }

    /** Both run, and each has a way to the API. */
    @Test
    void believesNoTokenOfAnotherExecutionThatRuns(PackagedPlane plane) throws Exception {
        Project project = project(plane, true);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> holder = threads.submit(() -> project.tool("hold", Map.of()));

            JsonNode taken = Waiting.until(
                    LIMIT,
                    () -> result(project.tool("take", Map.of())),
                    found -> found.path("found").asBoolean(),
                    "the token of the other execution");

            assertThat(taken.path("own").asBoolean()).isFalse();
            assertThat(taken.at("/seen/answered").asInt()).as(taken.toString()).isEqualTo(401);
            JsonNode held = result(holder.get());
            assertThat(held.path("answered").asInt())
                    .as("what it is good for where it belongs " + held)
                    .isEqualTo(200);
        }
    }

    /** Its code runs to its end, and asks for nothing more. */
    @Test
    void believesNoExecutionWhoseCallersTokenWasRevokedMeanwhile(PackagedPlane plane) throws Exception {
        Project project = project(plane, true);
        String key = UUID.randomUUID().toString();
        JsonNode token = plane.client()
                .post("/v1/tokens", Map.of("name", "short-lived", "roles", List.of("admin"), "scopes", List.of("*")))
                .expect(201);
        Project theirs = project.as(token.path("token").asText());
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> running =
                    threads.submit(() -> theirs.execute(Project.longRequest("go_on", Map.of("key", key))));
            Waiting.until(
                    LIMIT,
                    () -> result(project.tool("goes_on", Map.of("key", key))),
                    found -> !found.path("going").isEmpty(),
                    "the execution asks");

            plane.client().delete("/v1/tokens/" + token.path("id").asText()).expect(200);

            JsonNode last = result(running.get());
            assertThat(last.path("answered").asInt()).as(last.toString()).isEqualTo(401);
        }
    }

    /** Seen to fail: for the metrics, when what is not below {@code /v1/} took any valid token. */
    @Test
    void believesNoOtherTokenFromInside(PackagedPlane plane) {
        Project project = project(plane, true);
        // Not the one that everything else uses here: it stays in the worker's memory.
        String good = plane.token("inside", List.of("admin"), List.of("*", "platform.*"));
        assertThat(plane.client().as(good).get("/q/metrics").status())
                .as("what the token is good for outside")
                .isEqualTo(200);

        for (String path : List.of("/v1/auth/me", "/q/metrics")) {
            for (String token : List.of(good, "aielp_usr_" + "0".repeat(36), "x")) {
                JsonNode answer = result(project.tool("ask", Map.of("method", "GET", "path", path, "token", token)));

                assertThat(answer.path("answered").asInt())
                        .as(path + " " + answer)
                        .isEqualTo(401);
            }
        }
    }

    /** Seen to fail: for what decides later, without the list of what executions may do ({@code /v1/auth/revoke}). */
    @ParameterizedTest
    @CsvSource({
        "POST, /v1/auth/revoke?all=1, 403",
        "GET, P/files, 403",
        "POST, P/executions, 403",
        "GET, P/executions, 403",
        "GET, P/capabilities, 403",
        "GET, /v1/tokens, 403",
        "POST, /v1/tokens, 403",
        "GET, /v1/audit/events, 403",
        "POST, P/mcp/any, 403",
        "GET, P/http/any, 403",
        "GET, /q/metrics, 403",
        "GET, /q/openapi, 403",
    })
    void letsTheCodeDoNothingElse(String method, String path, int status, PackagedPlane plane) {
        Project project = Inside.project(plane);
        Map<String, Object> event =
                new HashMap<>(Map.of("method", method, "path", path.replace("P/", project.path() + "/")));
        if (method.equals("POST")) {
            event.put("body", Map.of());
        }

        JsonNode answer = result(project.tool("ask", event));

        assertThat(answer.path("answered").asInt()).as(answer.toString()).isEqualTo(status);
        assertThat(plane.client().get("/v1/auth/me").status()).isEqualTo(200);
    }

    @Test
    void knowsNoOtherProject(PackagedPlane plane) {
        Project project = Inside.project(plane);

        JsonNode answer = result(
                project.tool("ask", Map.of("method", "GET", "path", plane.demo().path() + "/integrations")));

        assertThat(answer.path("answered").asInt()).as(answer.toString()).isIn(403, 404);
    }

    /** One for all cases of a test. */
    private static final class Inside {
        private static final Map<PackagedPlane, Project> MADE = new ConcurrentHashMap<>();

        static Project project(PackagedPlane plane) {
            return MADE.computeIfAbsent(plane, one -> WorkerApiTest.project(one, true));
        }
    }
}
