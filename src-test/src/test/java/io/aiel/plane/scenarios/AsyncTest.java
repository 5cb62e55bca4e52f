package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Executions that nobody waits for, over the packaged application, which is killed with some of them running and some queued. The witness of how
 * often something was begun is the audit log.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class AsyncTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int QUEUE_MAX = 250;
    private static final String QUEUE_SETTING = "plane.execution.queue.project-max=" + QUEUE_MAX;
    private static final PackagedPlane.Options OPTIONS = PackagedPlane.Options.NONE.withSettings(QUEUE_SETTING);
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import time

            from aiel_sdk import tool

            @tool("work")
            def work(ctx, payload):
                if payload.get("until"):
                    time.sleep(max(0, payload["until"] - time.time()))
                time.sleep(payload.get("seconds", 0))
                if time.time() < payload.get("fails_before", 0):
                    raise RuntimeError("not yet")
                return {"made": payload.get("value", 0)}
            """);

    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void start() {
        plane = PackagedPlane.start(OPTIONS);
        project = plane.demo();
        project.push(CODE);
        project.tool("work", Map.of()).expect(200);
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    private static Answer submit(Project to, Map<String, ?> event, Map<String, ?> meta, String... headers) {
        List<String> all = new ArrayList<>(List.of("Prefer", "respond-async"));
        all.addAll(List.of(headers));
        return to.execute(
                Map.of("action", "invoke", "kind", "tool", "handler", "work", "event", event, "meta", meta),
                all.toArray(String[]::new));
    }

    private static String queued(Project to, Map<String, ?> event, Map<String, ?> meta, String... headers) {
        return submit(to, event, meta, headers).expect(202).path("execution_id").asText();
    }

    private static JsonNode ended(Project of, String id) {
        return Waiting.until(
                LIMIT,
                () -> of.client()
                        .get(of.path() + "/executions/" + id + "?wait=30s")
                        .expect(200),
                row -> !List.of("queued", "running").contains(row.path("status").asText()),
                "the end of " + id);
    }

    private static String status(String id) {
        return project.execution(id).path("status").asText();
    }

    /** The types of an execution's records in order, without their prefix. */
    private static List<String> records(String id) {
        return project
                .auditOf(
                        id,
                        list -> list.stream().anyMatch(record -> type(record).matches("execution.(finished|denied)")),
                        LIMIT)
                .stream()
                .sorted((a, b) -> a.at("/event/sequence")
                        .asText()
                        .compareTo(b.at("/event/sequence").asText()))
                .map(AsyncTest::type)
                .toList();
    }

    private static String type(JsonNode record) {
        return record.at("/event/type").asText().replaceAll("^io\\.aiel\\.plane\\.|\\.v1$", "");
    }

    @Test
    void runsASubmissionOnceAndKeepsItsAnswer() {
        Answer submission = submit(project, Map.of("value", 7), Map.of());

        submission.expect(202);
        String id = submission.json().path("execution_id").asText();
        assertThat(submission.json().path("status").asText()).isEqualTo("queued");
        assertThat(submission.headers().firstValue("Location")).contains(project.path() + "/executions/" + id);
        assertThat(submission.headers().firstValue("Preference-Applied")).contains("respond-async");
        JsonNode row = ended(project, id);
        assertThat(row.path("status").asText()).isEqualTo("succeeded");
        assertThat(row.path("attempt").asInt()).isEqualTo(1);
        assertThat(row.at("/envelope/result/made").asInt()).isEqualTo(7);
        assertThat(row.at("/envelope/meta/execution_id").asText()).isEqualTo(id);
        assertThat(row.path("envelope_expires_at").isTextual()).isTrue();
        assertThat(records(id))
                .containsExactly(
                        "execution.requested",
                        "policy.decided",
                        "execution.queued",
                        "policy.decided",
                        "execution.admitted",
                        "execution.finished");
    }

    @Test
    void givesTheAnswerToNobodyButWhoAskedForIt() {
        String id = queued(project, Map.of("value", 8), Map.of());
        ended(project, id);

        JsonNode theirs = project.as(otherPrincipal("viewer")).execution(id);

        assertThat(theirs.path("status").asText()).isEqualTo("succeeded");
        assertThat(theirs.path("envelope").isNull()).isTrue();
    }

    @Test
    void answersTheSameUnderTheSameKeyAndQueuesOnce() {
        String key = "key-" + UUID.randomUUID();
        Answer first = submit(project, Map.of(), Map.of(), "Idempotency-Key", key);

        Answer second = submit(project, Map.of(), Map.of(), "Idempotency-Key", key);

        first.expect(202);
        second.expect(202);
        assertThat(second.text()).isEqualTo(first.text());
        assertThat(second.headers().firstValue("Idempotency-Replayed")).contains("true");
        String id = first.json().path("execution_id").asText();
        ended(project, id);
        Answer waited = project.tool("work", Map.of(), "Idempotency-Key", key);
        assertThat(waited.expect(200).at("/meta/execution_id").asText()).isEqualTo(id);
    }

    @Test
    void refusesAtOnceWhatIsNotValidOrNotThere() {
        Map<String, Object> unknown =
                Map.of("action", "invoke", "kind", "tool", "handler", "nowhere", "event", Map.of());

        assertThat(project.execute(unknown, "Prefer", "respond-async").status()).isEqualTo(404);
        Answer wrong = submit(project, Map.of(), Map.of("retry", Map.of("max_attempts", 0)));
        assertThat(wrong.status()).isEqualTo(400);
        assertThat(wrong.json().at("/error/details/errors/0/pointer").asText()).isEqualTo("/meta/retry/max_attempts");
        Answer large = submit(project, Map.of("value", "x".repeat(270_000)), Map.of());
        assertThat(large.status()).isEqualTo(413);
        assertThat(large.errorCode()).isEqualTo("PAYLOAD_TOO_LARGE");
    }

    /** Meant to fail with a problem document, which the published clients do not read, and with a pointer to what is around the member. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/meta/unknown            | {'unknown': 1}",
                "/meta/priority           | {'priority': 'high'}",
                "/meta/start_at           | {'start_at': 'tomorrow'}",
                "/meta/retry/max_attempts | {'retry': {'max_attempts': 0}}",
                "/meta/retry/max_attempts | {'retry': {'max_attempts': 1000}}",
                "/meta/callback/url       | {'callback': {'url': 'https://elsewhere.example.com/x'}}"
            },
            quoteCharacter = '"')
    void namesTheMemberThatIsWrongInAnEnvelope(String pointer, String meta) {
        Answer answer = project.execute(
                "{\"action\": \"invoke\", \"kind\": \"tool\", \"handler\": \"work\", \"event\": {}, \"meta\": "
                        + meta.replace('\'', '"') + "}",
                "Prefer",
                "respond-async");

        assertThat(answer.status()).as(answer.toString()).isEqualTo(400);
        assertThat(answer.headers().firstValue("Content-Type").orElse("")).startsWith("application/json");
        assertThat(answer.json().path("schema_version").asText()).isEqualTo("v1");
        assertThat(answer.json().path("ok")).isEqualTo(BooleanNode.FALSE);
        assertThat(answer.errorCode()).isEqualTo("VALIDATION_ERROR");
        assertThat(answer.json()
                        .at("/error/details/errors")
                        .valueStream()
                        .map(error -> error.path("pointer").asText()))
                .containsExactly(pointer);
        assertThat(answer.executionId()).as("nothing was queued").isEmpty();
    }

    @Test
    void beginsNothingBeforeItsTime() {
        Instant at = Instant.now().plusSeconds(3);
        String id = queued(project, Map.of(), Map.of("start_at", at.toString()));

        assertThat(status(id)).isEqualTo("queued");
        JsonNode row = ended(project, id);

        assertThat(Instant.parse(row.path("started_at").asText())).isBetween(at, at.plusSeconds(5));
    }

    @Test
    void deniesWhatARevokedTokenOrAWithdrawnRoleHadQueued() {
        JsonNode token = project.client()
                .post("/v1/tokens", Map.of("name", "brief", "scopes", List.of("*")))
                .expect(201);
        JsonNode principal = newPrincipal("invoker");
        Project holder = project.as(token.path("token").asText());
        Project other = project.as(tokenOf(principal.path("id").asText()));
        Map<String, String> later =
                Map.of("start_at", Instant.now().plusSeconds(4).toString());
        String revoked = queued(holder, Map.of(), later);
        String withdrawn = queued(other, Map.of(), later);

        project.client().delete("/v1/tokens/" + token.path("id").asText()).expect(200);
        String grant = principal.path("grants").path(0).path("id").asText();
        Answer taken =
                project.client().delete("/v1/principals/" + principal.path("id").asText() + "/grants/" + grant);
        assertThat(taken.status() / 100).as(taken.text()).isEqualTo(2);

        for (String id : List.of(revoked, withdrawn)) {
            assertThat(ended(project, id).path("status").asText()).isEqualTo("denied");
            assertThat(records(id))
                    .containsExactly(
                            "execution.requested",
                            "policy.decided",
                            "execution.queued",
                            "policy.decided",
                            "execution.denied");
        }
    }

    @Test
    void endsWhatIsQueuedAndCancelledWithoutRunningIt() {
        String id = queued(
                project,
                Map.of(),
                Map.of("start_at", Instant.now().plusSeconds(600).toString()));

        Answer answer = project.client().post(project.path() + "/executions/" + id + ":cancel", "");

        assertThat(answer.expect(202).path("status").asText()).isEqualTo("cancelled");
        assertThat(records(id)).doesNotContain("execution.admitted").endsWith("execution.finished");
        assertThat(ended(project, id).at("/envelope/error/code").asText()).isEqualTo("CANCELLED");
    }

    @Test
    void triesAgainOnlyWhereThatWasAskedFor() {
        double soon = Instant.now().toEpochMilli() / 1000.0 + 1.5;
        Map<String, Object> retry = Map.of("max_attempts", 8, "backoff_ms", 500, "backoff_max_ms", 500);
        String once = queued(project, Map.of("fails_before", soon), Map.of());
        String again = queued(project, Map.of("fails_before", soon), Map.of("retry", retry));

        JsonNode failed = ended(project, once);
        JsonNode succeeded = ended(project, again);

        assertThat(failed.path("status").asText()).isEqualTo("failed");
        assertThat(succeeded.path("status").asText()).isEqualTo("succeeded");
        int attempts = succeeded.path("attempt").asInt();
        assertThat(attempts).isBetween(2, 8);
        List<String> records = records(again);
        assertThat(records.stream().filter("execution.admitted"::equals)).hasSize(attempts);
        assertThat(records.stream().filter("execution.attempted"::equals)).hasSize(attempts - 1);
        assertThat(records.stream().filter("execution.finished"::equals)).hasSize(1);
    }

    @Test
    void keepsWhatFailedToTheLastAsADeadLetter() {
        String id = queued(
                project, Map.of("fails_before", 1e12), Map.of("retry", Map.of("max_attempts", 2, "backoff_ms", 100)));

        JsonNode row = ended(project, id);

        assertThat(row.path("status").asText()).isEqualTo("dead_letter");
        assertThat(row.path("attempt").asInt()).isEqualTo(2);
        assertThat(row.at("/envelope/error/code").asText()).isEqualTo("USER_CODE_ERROR");
        assertThat(project.client()
                        .get(project.path() + "/executions?status=dead_letter")
                        .expect(200)
                        .path("executions")
                        .valueStream()
                        .map(one -> one.path("id").asText()))
                .contains(id);
    }

    @Test
    void letsNoProjectHoldUpAnotherNorThoseWhoWait() {
        Project busy = plane.newProject("async-busy");
        Project quiet = plane.newProject("async-quiet");
        busy.push(CODE);
        quiet.push(CODE);
        busy.tool("work", Map.of()).expect(200);
        quiet.tool("work", Map.of()).expect(200);
        for (int i = 0; i < 200; i++) {
            queued(busy, Map.of("seconds", 0.5), Map.of());
        }

        String lonely = queued(quiet, Map.of(), Map.of());
        long before = System.nanoTime();
        JsonNode row = ended(quiet, lonely);
        busy.tool("work", Map.of()).expect(200);

        assertThat(row.path("status").asText()).isEqualTo("succeeded");
        assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(8));
        int waiting = busy.client()
                .get(busy.path() + "/executions?status=queued&limit=200")
                .expect(200)
                .path("executions")
                .size();
        assertThat(waiting).as("what the other still has queued").isGreaterThan(50);
        cancelAll(busy);
    }

    @Test
    void refusesWhatTheQueueHasNoRoomFor() {
        Project full = plane.newProject("async-full");
        full.push(CODE);
        full.tool("work", Map.of()).expect(200);
        Map<String, String> later =
                Map.of("start_at", Instant.now().plusSeconds(3_600).toString());
        for (int i = 0; i < QUEUE_MAX; i++) {
            queued(full, Map.of(), later);
        }

        Answer refused = submit(full, Map.of(), later);

        assertThat(refused.status()).isEqualTo(429);
        assertThat(refused.errorCode()).isEqualTo("RATE_LIMITED");
        assertThat(refused.headers().firstValue("Retry-After")).isPresent();
        cancelAll(full);
        ended(full, queued(full, Map.of(), Map.of()));
    }

    private static void cancelAll(Project of) {
        of.client().post(of.path() + "/executions:cancel", "{}").expect(202);
    }

    @Test
    @Order(Integer.MAX_VALUE - 1)
    void losesNothingAndRunsNothingTwiceWhenTheServerIsKilled() {
        double until = Instant.now().getEpochSecond() + 25.0;
        Map<String, Object> twice = Map.of("retry", Map.of("max_attempts", 2, "backoff_ms", 100));
        List<String> lost = new ArrayList<>();
        List<String> retried = new ArrayList<>();
        List<String> waiting = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            lost.add(queued(project, Map.of("until", until), Map.of()));
            retried.add(queued(project, Map.of("until", until), twice));
        }
        Waiting.until(
                LIMIT,
                () -> runningIn(lost) + runningIn(retried),
                running -> running == 6,
                "the start of as many as a project may have in hand");
        for (int i = 0; i < 20; i++) {
            waiting.add(queued(project, Map.of("value", i), Map.of()));
        }

        plane.signal("KILL");
        plane.startAgain();
        project = plane.demo();

        all(lost, retried, waiting).forEach(id -> ended(project, id));
        assertThat(lost).allSatisfy(id -> {
            assertThat(status(id)).isEqualTo("lost");
            assertThat(begun(records(id))).isEqualTo(1);
        });
        assertThat(retried).allSatisfy(id -> {
            assertThat(status(id)).isEqualTo("succeeded");
            assertThat(begun(records(id))).isEqualTo(2);
            assertThat(records(id)).containsOnlyOnce("execution.attempted", "execution.finished");
        });
        assertThat(waiting).allSatisfy(id -> {
            assertThat(status(id)).isEqualTo("succeeded");
            List<String> records = records(id);
            assertThat(begun(records)).as("begun, of %s", records).isEqualTo(1);
        });
        assertThat(new Audit(project.client()).records("type=execution.finished&execution=" + lost.getFirst()))
                .hasSize(1);
    }

    /**
     * What has no workers takes nothing from those that do. Meant to fail: with a {@code NoWorkers} that says that it runs work; the execution has
     * {@code execution.attempted} in its records then, which has come back from a server that could not run it.
     */
    @Test
    @Order(Integer.MAX_VALUE)
    void leavesAloneWhatIsQueuedWhileItHasNoWorkers() throws InterruptedException {
        Instant at = Instant.now().plusSeconds(2);
        String id = queued(project, Map.of(), Map.of("start_at", at.toString()));
        plane.signal("TERM");

        plane.startAgain(OPTIONS.withSettings(QUEUE_SETTING, "plane.hydrator.enabled=false"));
        project = plane.demo();
        // It looks into the queue every second.
        Thread.sleep(5_000);
        assertThat(Instant.now()).isAfter(at);
        assertThat(status(id)).isEqualTo("queued");

        plane.signal("TERM");
        plane.startAgain(OPTIONS);
        project = plane.demo();
        assertThat(ended(project, id).path("status").asText()).isEqualTo("succeeded");
        assertThat(records(id)).doesNotContain("execution.attempted").containsOnlyOnce("execution.admitted");
    }

    private static long runningIn(List<String> ids) {
        return ids.stream().filter(id -> status(id).equals("running")).count();
    }

    private static long begun(List<String> records) {
        return records.stream().filter("execution.admitted"::equals).count();
    }

    @SafeVarargs
    private static List<String> all(List<String>... lists) {
        List<String> all = new ArrayList<>();
        for (List<String> list : lists) {
            all.addAll(list);
        }
        return all;
    }

    private static JsonNode newPrincipal(String role) {
        return project.client()
                .post(
                        "/v1/principals",
                        Map.of(
                                "kind",
                                "service",
                                "name",
                                "async-" + UUID.randomUUID(),
                                "grants",
                                List.of(Map.of("role", role))))
                .expect(201);
    }

    private static String tokenOf(String principal) {
        return project.client()
                .post("/v1/tokens", Map.of("name", "t", "scopes", List.of("*"), "principal_id", principal))
                .expect(201)
                .path("token")
                .asText();
    }

    private static String otherPrincipal(String role) {
        return tokenOf(newPrincipal(role).path("id").asText());
    }
}
