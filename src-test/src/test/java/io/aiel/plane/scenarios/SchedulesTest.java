package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * Schedules of the packaged application, by the real clock: what is due comes at the next full minute. The last test kills the server right after it
 * has begun a run, and again shortly before one is due.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SchedulesTest {
    private static final Duration A_MINUTE_OR_SO = Duration.ofSeconds(100);
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import time
            from aiel_sdk import tool

            @tool("nap")
            def nap(ctx, payload):
                time.sleep(60)

            @tool("work")
            def work(ctx, payload):
                return {"made": payload.get("value", 0)}
            """);

    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void start() {
        plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings("plane.schedules.project-max=20"));
        project = plane.demo();
        project.push(CODE);
        project.tool("work", Map.of()).expect(200);
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    private static Map<String, Object> request(int value) {
        return Map.of("action", "invoke", "kind", "tool", "handler", "work", "event", Map.of("value", value));
    }

    private static Map<String, Object> draft(String cron, Map<String, ?> more) {
        Map<String, Object> draft =
                new HashMap<>(Map.of("name", "s-" + UUID.randomUUID(), "cron", cron, "request", request(7)));
        draft.putAll(more);
        return draft;
    }

    private static Answer create(Project in, Map<String, ?> draft) {
        return in.client().post(in.path() + "/schedules", draft);
    }

    private static String created(Project in, String cron, Map<String, ?> more) {
        return create(in, draft(cron, more)).expect(201).path("id").asText();
    }

    private static JsonNode schedule(Project in, String id) {
        return in.client().get(in.path() + "/schedules/" + id).expect(200);
    }

    private static JsonNode run(Project in, String id) {
        return Waiting.until(
                A_MINUTE_OR_SO,
                () -> schedule(in, id).path("runs").path(0),
                run -> run.has("outcome"),
                "a run of " + id);
    }

    @Test
    void isMadeShownChangedPausedAndDeleted() {
        Answer made =
                create(project, draft("30 3 * * mon-fri", Map.of("time_zone", "Europe/Vienna", "catch_up", "last")));
        JsonNode schedule = made.expect(201);
        String path = project.path() + "/schedules/" + schedule.path("id").asText();
        assertThat(schedule.path("overlap").asText()).isEqualTo("forbid");
        assertThat(schedule.path("catch_up_window_s").asInt()).isEqualTo(3_600);
        assertThat(schedule.path("capability_name").asText()).isEqualTo("work");
        assertThat(Instant.parse(schedule.path("next_at").asText())).isAfter(Instant.now());

        JsonNode changed = project.client()
                .send("PUT", path, PlaneClient.text(draft("0 0 1 1 *", Map.of("name", "yearly"))))
                .expect(200);
        assertThat(changed.path("name").asText()).isEqualTo("yearly");
        assertThat(changed.path("next_at").asText()).endsWith("-01-01T00:00:00Z");

        JsonNode paused = project.client().post(path + ":pause", "").expect(200);
        assertThat(paused.path("paused").asBoolean()).isTrue();
        assertThat(paused.path("next_at").isNull()).isTrue();
        JsonNode resumed = project.client().post(path + ":resume", "").expect(200);
        assertThat(resumed.path("next_at").asText())
                .isEqualTo(changed.path("next_at").asText());

        assertThat(project.client()
                        .get(project.path() + "/schedules?limit=200")
                        .expect(200)
                        .path("items")
                        .valueStream()
                        .map(one -> one.path("id").asText()))
                .contains(schedule.path("id").asText());
        assertThat(project.client().delete(path).status()).isEqualTo(204);
        assertThat(project.client().get(path).status()).isEqualTo(404);
        List<String> changes = Waiting.until(
                A_MINUTE_OR_SO,
                () -> changes(schedule.path("id").asText()),
                all -> all.size() == 5,
                "the records of five changes");
        assertThat(changes)
                .containsExactlyInAnyOrder(
                        "schedule.created",
                        "schedule.replaced",
                        "schedule.paused",
                        "schedule.resumed",
                        "schedule.deleted");
    }

    private static List<String> changes(String id) {
        return new Audit(project.client())
                .records("type=control.changed").stream()
                        .map(record -> record.at("/event/data"))
                        .filter(data -> data.path("subject_id").asText().equals(id))
                        .map(data -> data.path("what").asText())
                        .toList();
    }

    @Test
    void refusesWhatCannotBeMeantAndNamesTheField() {
        Map<String, Map<String, ?>> wrong = new LinkedHashMap<>();
        wrong.put("/cron", Map.of("cron", "61 * * * *"));
        wrong.put("/time_zone", Map.of("time_zone", "+02:00"));
        wrong.put("/overlap", Map.of("overlap", "sometimes"));
        wrong.put("/catch_up", Map.of("catch_up", true));
        wrong.put("/catch_up_window_s", Map.of("catch_up_window_s", 86_401));
        wrong.put("/name", Map.of("name", "\n"));
        wrong.put("/paused", Map.of("paused", "no"));
        wrong.put("/request", Map.of("request", "work"));
        wrong.put("/unknown", Map.of("unknown", 1));
        wrong.put(
                "/request/meta/start_at",
                Map.of("request", Map.of("action", "describe", "meta", Map.of("start_at", "2030-01-01T00:00:00Z"))));
        wrong.put("/request/action", Map.of("request", Map.of("action", "dance")));
        wrong.put(
                "/request/meta/callback/url",
                Map.of(
                        "request",
                        Map.of(
                                "action",
                                "describe",
                                "meta",
                                Map.of("callback", Map.of("url", "https://hooks.example.com/")))));

        wrong.forEach((pointer, members) -> {
            Answer answer = create(project, draft("0 0 1 1 *", members));
            assertThat(answer.status()).as(pointer + " " + answer).isEqualTo(400);
            assertThat(answer.json().at("/error/details/errors/0/pointer").asText())
                    .isEqualTo(pointer);
        });
        Answer missing = create(
                project,
                draft(
                        "0 0 1 1 *",
                        Map.of(
                                "request",
                                Map.of("action", "invoke", "kind", "tool", "handler", "nowhere", "event", Map.of()))));
        assertThat(missing.status()).isEqualTo(404);
    }

    /** Who may not run it may not have it run; and that they tried is on record as a denial. */
    @Test
    void isDecidedAsAnExecutionWhenItIsMade() {
        Answer denied = create(project.asAnother("operator"), draft("0 0 1 1 *", Map.of()));

        assertThat(denied.status()).isEqualTo(403);
        assertThat(denied.errorCode()).isEqualTo("POLICY_DENIED");
    }

    @Test
    void hasNoMoreOfAProjectThanItMay() {
        Project full = plane.newProject("schedules-full");
        full.push(CODE);
        for (int i = 0; i < 20; i++) {
            created(full, "0 0 1 1 *", Map.of());
        }

        Answer refused = create(full, draft("0 0 1 1 *", Map.of()));

        assertThat(refused.status()).isEqualTo(409);
    }

    @Test
    void beginsWhatIsDueWithTheRightsOfWhoMadeIt() {
        JsonNode token = project.client()
                .post("/v1/tokens", Map.of("name", "brief", "scopes", List.of("*")))
                .expect(201);
        Project holder = project.as(token.path("token").asText());
        String due = created(project, "* * * * *", Map.of("request", request(8)));
        String paused = created(project, "* * * * *", Map.of("paused", true));
        String revoked = created(holder, "* * * * *", Map.of());
        project.client().delete("/v1/tokens/" + token.path("id").asText()).expect(200);

        JsonNode run = run(project, due);

        assertThat(run.path("outcome").asText()).isEqualTo("queued");
        String id = run.path("execution_id").asText();
        JsonNode row = project.client()
                .get(project.path() + "/executions/" + id + "?wait=30s")
                .expect(200);
        assertThat(row.path("status").asText()).isEqualTo("succeeded");
        assertThat(row.at("/envelope/result/made").asInt()).isEqualTo(8);
        assertThat(row.path("schedule").asText()).isEqualTo(due);
        Instant dueAt = Instant.parse(run.path("due_at").asText());
        assertThat(row.path("schedule_due_at").asText()).isEqualTo(dueAt.toString());
        assertThat(dueAt.truncatedTo(ChronoUnit.MINUTES)).isEqualTo(dueAt);
        assertThat(Instant.parse(row.path("requested_at").asText())).isBetween(dueAt, dueAt.plusSeconds(20));
        JsonNode denied = run(project, revoked);
        assertThat(denied.path("outcome").asText()).isEqualTo("denied");
        assertThat(project.execution(denied.path("execution_id").asText())
                        .path("status")
                        .asText())
                .isEqualTo("denied");
        assertThat(schedule(project, paused).path("runs")).isEmpty();
        Project viewer = project.asAnother("viewer");
        assertThat(schedule(viewer, due).path("request").isNull()).isTrue();
        assertThat(schedule(project, due).at("/request/event/value").asInt()).isEqualTo(8);
        for (String one : List.of(due, revoked)) {
            project.client().delete(project.path() + "/schedules/" + one);
        }
    }

    /** And not of who made the schedule. */
    @Test
    void beginsARunNowWithTheRightsOfWhoAsks() {
        String id = created(project, "0 0 1 1 *", Map.of("request", request(9), "paused", true));
        String path = project.path() + "/schedules/" + id + ":trigger";

        Answer answer = project.client().post(path, "");

        assertThat(answer.status()).as(answer.toString()).isEqualTo(202);
        String execution = answer.json().path("execution_id").asText();
        assertThat(answer.headers().firstValue("Location").orElse(""))
                .isEqualTo(project.path() + "/executions/" + execution);
        JsonNode row = project.client()
                .get(project.path() + "/executions/" + execution + "?wait=30s")
                .expect(200);
        assertThat(row.at("/envelope/result/made").asInt()).as(row.toString()).isEqualTo(9);
        assertThat(row.path("schedule").asText()).isEqualTo(id);
        JsonNode run = run(project, id);
        assertThat(run.path("execution_id").asText()).isEqualTo(execution);
        assertThat(run.path("outcome").asText()).isEqualTo("queued");
        assertThat(schedule(project, id).path("next_at").isNull()).isTrue();
        Answer denied = project.asAnother("operator").client().post(path, "");
        assertThat(denied.status()).as(denied.toString()).isEqualTo(403);
        assertThat(denied.errorCode()).isEqualTo("POLICY_DENIED");
        assertThat(project.client()
                        .post(project.path() + "/schedules/sched_unknown:trigger", "")
                        .status())
                .isEqualTo(404);
        assertThat(Waiting.until(A_MINUTE_OR_SO, () -> changes(id), all -> all.size() >= 2, "two records"))
                .containsExactlyInAnyOrder("schedule.created", "schedule.triggered");
    }

    @Test
    void beginsNoRunNowBesideOneThatHasNotEnded() {
        Map<String, ?> nap = Map.of("action", "invoke", "kind", "tool", "handler", "nap", "event", Map.of("value", 1));
        String id = created(project, "0 0 1 1 *", Map.of("request", nap, "overlap", "queue"));
        String path = project.path() + "/schedules/" + id + ":trigger";
        String execution =
                project.client().post(path, "").expect(202).path("execution_id").asText();

        Answer refused = project.client().post(path, "");
        Answer denied = project.asAnother("operator").client().post(path, "");

        assertThat(denied.status()).as(denied.toString()).isEqualTo(403);
        assertThat(refused.status()).as(refused.toString()).isEqualTo(409);
        assertThat(refused.text()).contains("has not ended");
        project.client()
                .post(project.path() + "/executions/" + execution + ":cancel", "")
                .expect(202);
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void beginsEachDueTimeOnceWhenTheServerIsKilled() {
        String id = created(project, "* * * * *", Map.of("overlap", "allow", "catch_up", "all"));
        run(project, id);
        plane.signal("KILL");
        plane.startAgain();
        project = plane.demo();
        awaitSecond(55);
        int before = schedule(project, id).path("runs").size();
        plane.signal("KILL");
        plane.startAgain();
        project = plane.demo();

        JsonNode runs = Waiting.until(
                A_MINUTE_OR_SO,
                () -> schedule(project, id).path("runs"),
                all -> all.size() > before,
                "a run after the second kill");

        assertThat(runs.valueStream().map(run -> run.path("outcome").asText())).containsOnly("queued");
        Map<String, Long> executions = project.client()
                .get(project.path() + "/executions?limit=200")
                .expect(200)
                .path("executions")
                .valueStream()
                .filter(row -> row.path("idempotency_key").asText().startsWith(id))
                .collect(
                        Collectors.groupingBy(row -> row.path("idempotency_key").asText(), Collectors.counting()));
        assertThat(executions).hasSize(runs.size());
        assertThat(executions.values()).containsOnly(1L);
        assertThat(Duration.between(
                        Instant.parse(runs.path(runs.size() - 1).path("due_at").asText()),
                        Instant.parse(runs.path(0).path("due_at").asText())))
                .isEqualTo(Duration.ofMinutes(runs.size() - 1));
    }

    /** Until the clock's seconds are past this. */
    private static void awaitSecond(int second) {
        Waiting.until(
                A_MINUTE_OR_SO,
                () -> Instant.now().getEpochSecond() % 60,
                now -> now >= second,
                "second " + second + " of a minute");
    }
}
