package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * A request that is sent again under its key does not run again. Has a plane of its own, which it kills.
 *
 * <p>Seen failing: {@link #runsEachKeyOnceHoweverManyAskAtOnce} when executions are inserted whether or not the key was
 * claimed.
 */
@Tag("callers")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class IdempotencyTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int TRIES = 20;
    private static final int AT_ONCE = 48;
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import time
            import uuid

            from aiel_sdk import tool

            @tool("once")
            def once(ctx, payload):
                time.sleep(payload.get("seconds", 0))
                if payload.get("wrong"):
                    raise ValueError("wrong as asked")
                return {"made": str(uuid.uuid4())}
            """);

    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void start() {
        plane = PackagedPlane.start();
        project = plane.demo();
        project.push(CODE);
        project.tool("once", Map.of()).expect(200);
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    private static String newKey() {
        return "key-" + UUID.randomUUID();
    }

    private static Answer once(Project as, String key, Map<String, ?> event) {
        return as.tool("once", event, "Idempotency-Key", key);
    }

    private static List<JsonNode> executions(String key) {
        List<JsonNode> found = new ArrayList<>();
        String cursor = "";
        do {
            JsonNode page = project.client()
                    .get(project.path() + "/executions?limit=200" + cursor)
                    .expect(200);
            page.path("executions")
                    .valueStream()
                    .filter(row -> row.path("idempotency_key").asText().startsWith(key))
                    .forEach(found::add);
            cursor = page.path("next_cursor").isTextual()
                    ? "&cursor=" + page.path("next_cursor").asText()
                    : "";
        } while (!cursor.isEmpty());
        return found;
    }

    @Test
    void answersTheSameAgainWithoutRunningAgain() {
        String key = newKey();
        Answer first = once(project, key, Map.of());

        Answer second = once(project, key, Map.of());

        first.expect(200);
        assertThat(first.headers().firstValue("Idempotency-Replayed")).isEmpty();
        assertThat(second.status()).isEqualTo(200);
        assertThat(second.text()).isEqualTo(first.text());
        assertThat(second.headers().firstValue("Idempotency-Replayed")).contains("true");
        assertThat(executions(key)).hasSize(1);
    }

    @Test
    void answersAFailureAgainAsItWas() {
        String key = newKey();
        Answer first = once(project, key, Map.of("wrong", true));

        Answer second = once(project, key, Map.of("wrong", true));

        assertThat(first.status()).isEqualTo(400);
        assertThat(second.status()).isEqualTo(400);
        assertThat(second.text()).isEqualTo(first.text());
    }

    @Test
    void takesTheKeyFromTheBodyAndInQuotesToo() {
        String key = newKey();
        Answer inTheHeader = once(project, key, Map.of());

        Answer inQuotes = once(project, '"' + key + '"', Map.of());
        Answer inTheBody = project.execute("{\"event\":{},\"meta\":{\"idempotency_key\":\"" + key
                + "\",\"timeout_ms\":4000},\"handler\":\"once\",\"kind\":\"tool\",\"action\":\"invoke\"}");

        assertThat(inQuotes.text()).isEqualTo(inTheHeader.text());
        assertThat(inTheBody.text())
                .as("another order of members, another deadline")
                .isEqualTo(inTheHeader.text());
    }

    @Test
    void refusesTheKeyForAnotherRequest() {
        String key = newKey();
        once(project, key, Map.of()).expect(200);

        Answer other = once(project, key, Map.of("seconds", 0));

        assertThat(other.status()).isEqualTo(422);
        assertThat(other.errorCode()).isEqualTo("IDEMPOTENCY_KEY_REUSED");
        assertThat(executions(key)).hasSize(1);
    }

    @Test
    void refusesKeysThatAreNoneAndSaysWhatIsWrong() {
        for (String key : List.of("", " ", "k".repeat(256))) {
            Answer answer = once(project, '"' + key + '"', Map.of());
            assertThat(answer.status()).as(key).isEqualTo(400);
            assertThat(answer.json().at("/error/details/errors/0/pointer").asText())
                    .isEqualTo("header:Idempotency-Key");
        }
        once(project, "k".repeat(255), Map.of()).expect(200);
        Answer two = project.execute(
                "{\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"once\",\"meta\":{\"idempotency_key\":\"a\"}}",
                "Idempotency-Key",
                "b");
        assertThat(two.status()).isEqualTo(400);
        assertThat(two.text()).contains("/meta/idempotency_key");
    }

    @Test
    void keepsTheKeysOfTwoPrincipalsApart() {
        String key = newKey();
        Project another = project.asAnother("invoker");
        Answer mine = once(project, key, Map.of());

        Answer theirs = once(another, key, Map.of());

        assertThat(theirs.expect(200).at("/result/made"))
                .isNotEqualTo(mine.json().at("/result/made"));
    }

    @Test
    void saysWhatRunsInsteadOfRunningItTwice() throws Exception {
        String key = newKey();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> first = threads.submit(() -> once(project, key, Map.of("seconds", 3)));
            Waiting.until(LIMIT, () -> executions(key), found -> found.size() == 1, "the execution");

            Answer second = once(project, key, Map.of("seconds", 3));

            assertThat(second.status()).isEqualTo(409);
            assertThat(second.errorCode()).isEqualTo("EXECUTION_IN_PROGRESS");
            String id = executions(key).getFirst().path("id").asText();
            assertThat(second.headers().firstValue("Location")).contains(project.path() + "/executions/" + id);
            assertThat(second.headers().firstValue("Retry-After")).contains("1");
            assertThat(project.client()
                            .get(second.headers().firstValue("Location").orElseThrow())
                            .status())
                    .isEqualTo(200);
            assertThat(first.get().expect(200).at("/meta/execution_id").asText())
                    .isEqualTo(id);
        }
    }

    /** Seen failing when the client's departure is always passed on to the worker. */
    @Test
    void letsAClientThatWentAwayComeBackForItsAnswer() throws Exception {
        String key = newKey();
        String body = PlaneClient.text(
                Map.of("action", "invoke", "kind", "tool", "handler", "once", "event", Map.of("seconds", 2)));
        URI uri = plane.uri();
        try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
            OutputStream out = socket.getOutputStream();
            out.write(("POST " + project.path() + "/executions HTTP/1.1\r\nHost: " + uri.getAuthority()
                            + "\r\nAuthorization: Bearer " + project.client().token() + "\r\nIdempotency-Key: " + key
                            + "\r\nContent-Type: application/json\r\nContent-Length: " + body.length() + "\r\n\r\n"
                            + body)
                    .getBytes(StandardCharsets.UTF_8));
            out.flush();
            Waiting.until(LIMIT, () -> executions(key), found -> found.size() == 1, "the execution");
        } catch (IOException e) {
            throw new AssertionError(e);
        }

        Answer answer = Waiting.until(
                LIMIT,
                () -> once(project, key, Map.of("seconds", 2)),
                found -> found.status() != 409,
                "the answer of what went on");

        assertThat(answer.expect(200).at("/result/made").asText()).isNotEmpty();
        assertThat(executions(key)).hasSize(1);
    }

    @Test
    void runsEachKeyOnceHoweverManyAskAtOnce() throws Exception {
        int keys = Form.current().pick(150, 1_000);
        String prefix = newKey();
        Semaphore places = new Semaphore(AT_ONCE);
        List<List<Future<Answer>>> tries = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int number = 0; number < keys; number++) {
                String key = prefix + "-" + number;
                List<Future<Answer>> ofOne = new ArrayList<>();
                for (int attempt = 0; attempt < TRIES; attempt++) {
                    ofOne.add(threads.submit(() -> answered(places, key)));
                }
                tries.add(ofOne);
            }
            for (List<Future<Answer>> ofOne : tries) {
                String first = ofOne.getFirst().get().text();
                for (Future<Answer> answer : ofOne) {
                    assertThat(answer.get().expect(200)).isNotNull();
                    assertThat(answer.get().text()).isEqualTo(first);
                }
            }
        }

        assertThat(executions(prefix))
                .hasSize(keys)
                .allSatisfy(row -> assertThat(row.path("status").asText()).isEqualTo("succeeded"));
    }

    /** As a client does: what is refused for now, or runs, is asked again. */
    private static Answer answered(Semaphore places, String key) throws InterruptedException {
        places.acquire();
        try {
            return Waiting.until(
                    LIMIT,
                    () -> once(project, key, Map.of()),
                    answer -> answer.status() != 409 && answer.status() != 429 && answer.status() != 503,
                    "an answer");
        } finally {
            places.release();
        }
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void remembersAnswersAndLossesWhenTheServerWasKilled() throws Exception {
        String ended = newKey();
        Answer before = once(project, ended, Map.of());
        String interrupted = newKey();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> broken = threads.submit(() -> once(project, interrupted, Map.of("seconds", 30)));
            Waiting.until(LIMIT, () -> executions(interrupted), found -> found.size() == 1, "the execution");
            plane.signal("KILL");
            assertThat(broken).failsWithin(LIMIT);
        }

        plane.startAgain();
        project = plane.demo();

        before.expect(200);
        assertThat(once(project, ended, Map.of()).text()).isEqualTo(before.text());
        Answer lost = Waiting.until(
                LIMIT,
                () -> once(project, interrupted, Map.of("seconds", 30)),
                answer -> answer.status() != 409,
                "the verdict on what was interrupted");
        assertThat(lost.status()).isEqualTo(502);
        assertThat(lost.errorCode()).isEqualTo("EXECUTION_LOST");
        assertThat(executions(interrupted)).hasSize(1);
    }
}
