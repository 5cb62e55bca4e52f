package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Events;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * Two packaged servers on one PostgreSQL and one Kafka: what is asked of one is known to the other, nothing runs twice between them, and one takes over
 * from the other when that is killed. Which server ran what, the database says.
 *
 * <p>Seen failing, each by its own break: a key that anybody may take over, cancellations that servers do not look for, readers who are not
 * looked at again, servers that are never taken for dead. Not seen: {@code spreads…}, {@code letsWhatRuns…}.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class TwoServersTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private static Backends backends;
    private static PackagedPlane first;
    private static PackagedPlane second;
    private static Project here;
    private static Project there;

    @BeforeAll
    static void start() {
        backends = Backends.start();
        PackagedPlane.Options options =
                backends.options().withSettings("plane.execution.heartbeat=1s", "plane.execution.node-dead-after=6s");
        first = PackagedPlane.start(options);
        second = PackagedPlane.start(options);
        here = first.newProject("two-servers");
        there = new Project(second.client(), here.workspace(), here.id());
        here.push(Map.of("entry_point.py", """
                import time

                from aiel_sdk import tool

                @tool("work")
                def work(ctx, payload):
                    time.sleep(payload.get("seconds", 0))
                    return {"made": payload.get("value", 0)}

                @tool("ticks")
                def ticks(ctx, payload):
                    for i in range(payload["to"]):
                        yield {"i": i}
                        time.sleep(0.05)
                """));
        here.tool("work", Map.of()).expect(200);
        there.tool("work", Map.of()).expect(200);
    }

    @AfterAll
    static void stop() {
        second.close();
        first.close();
        backends.close();
    }

    private static String queued(Project to, Map<String, ?> event, Map<String, ?> meta) {
        return to.execute(
                        Map.of("action", "invoke", "kind", "tool", "handler", "work", "event", event, "meta", meta),
                        "Prefer",
                        "respond-async")
                .expect(202)
                .path("execution_id")
                .asText();
    }

    private static JsonNode ended(String id) {
        return Waiting.until(
                LIMIT,
                () -> there.client()
                        .get(there.path() + "/executions/" + id + "?wait=30s")
                        .expect(200),
                row -> !List.of("queued", "running").contains(row.path("status").asText()),
                "the end of " + id);
    }

    /** The types of an execution's records in order, as the second server sees them. */
    private static List<String> records(String id) {
        return there.client()
                .get(there.path() + "/executions/" + id + "/events")
                .expect(200)
                .path("events")
                .valueStream()
                .map(record -> record.path("type").asText().replaceAll("^io\\.aiel\\.plane\\.|\\.v1$", ""))
                .toList();
    }

    /** Which start of a server works, or worked, on each of these. */
    private static Map<String, String> servers(List<String> ids) {
        Map<String, String> servers = new HashMap<>();
        try (Connection connection = backends.connect();
                PreparedStatement statement = connection.prepareStatement(
                        "select id, incarnation from executions where id = any(?) and status <> 'queued'")) {
            statement.setArray(1, connection.createArrayOf("text", ids.toArray()));
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    servers.put(rows.getString(1), rows.getString(2));
                }
            }
            return servers;
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    private static String serverOf(Project project) {
        String id = project.tool("work", Map.of()).executionId();
        return Objects.requireNonNull(servers(List.of(id)).get(id));
    }

    @Test
    @Order(1)
    void runsOneExecutionForAKeyThatComesToBothAtOnce() throws Exception {
        int keys = 30;
        try (ExecutorService threads = Executors.newFixedThreadPool(16)) {
            Map<String, List<Future<Answer>>> tries = new HashMap<>();
            for (int i = 0; i < keys; i++) {
                String key = "two-" + UUID.randomUUID();
                for (Project to : List.of(here, there, here, there)) {
                    tries.computeIfAbsent(key, _ -> new ArrayList<>())
                            .add(threads.submit(() -> to.tool("work", Map.of("seconds", 0.1), "Idempotency-Key", key)));
                }
            }
            Set<String> all = new HashSet<>();
            for (Map.Entry<String, List<Future<Answer>>> one : tries.entrySet()) {
                Set<String> executions = new HashSet<>();
                for (Future<Answer> answer : one.getValue()) {
                    assertThat(answer.get().status())
                            .as(answer.get().toString())
                            .isIn(200, 409);
                    executions.add(
                            answer.get().status() == 200
                                    ? answer.get().executionId()
                                    : answer.get()
                                            .json()
                                            .at("/error/details/execution_id")
                                            .asText());
                }
                assertThat(executions).hasSize(1);
                all.addAll(executions);
                String id = executions.iterator().next();
                ended(id);
                for (Project to : List.of(here, there)) {
                    Answer again = to.tool("work", Map.of("seconds", 0.1), "Idempotency-Key", one.getKey());
                    assertThat(again.expect(200).at("/meta/execution_id").asText())
                            .isEqualTo(id);
                }
            }
            assertThat(all).hasSize(keys);
        }
    }

    @Test
    @Order(2)
    void spreadsWhatIsQueuedOverBothAndRunsEachOnce() {
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            ids.add(queued(here, Map.of("seconds", 0.4, "value", i), Map.of("retry", Map.of("max_attempts", 3))));
        }

        for (String id : ids) {
            JsonNode row = ended(id);
            assertThat(row.path("status").asText()).isEqualTo("succeeded");
            assertThat(row.path("attempt").asInt()).isEqualTo(1);
            assertThat(records(id))
                    .containsOnlyOnce("execution.admitted", "execution.finished")
                    .doesNotContain("execution.attempted");
        }
        assertThat(new HashSet<>(servers(ids).values())).containsExactlyInAnyOrder(serverOf(here), serverOf(there));
    }

    @Test
    @Order(3)
    void letsWhatRunsOnOneBeFollowedWaitedForAndSeenOnTheOther() {
        try (Events run = here.stream("ticks", Map.of("to", 80))) {
            String id = run.next().orElseThrow().json().path("execution_id").asText();

            try (Events records = Events.get(there.client(), there.path() + "/executions/" + id + "/events")) {
                assertThat(records.next().orElseThrow().name()).isEqualTo("record");
                assertThat(there.execution(id).path("status").asText()).isEqualTo("running");
                assertThat(records.rest().getLast().json().path("type").asText())
                        .contains("execution.finished");
            }
            assertThat(ended(id).path("status").asText()).isEqualTo("succeeded");
            assertThat(run.rest().getLast().name()).isEqualTo("result");
        }
    }

    @Test
    @Order(4)
    void endsOnOneWhatIsCancelledOnTheOther() {
        try (Events run = here.stream("ticks", Map.of("to", 2_000))) {
            String id = run.next().orElseThrow().json().path("execution_id").asText();

            there.client()
                    .post(there.path() + "/executions/" + id + ":cancel", "")
                    .expect(202);

            Events.Event last = run.rest().getLast();
            assertThat(last.json().at("/error/code").asText()).isEqualTo("CANCELLED");
            assertThat(there.execution(id).path("status").asText()).isEqualTo("cancelled");
            assertThat(records(id)).containsOnlyOnce("execution.finished");
        }
    }

    @Test
    @Order(5)
    void endsOnOneTheStreamOfATokenThatIsRevokedOnTheOther() {
        JsonNode token = there.client()
                .post("/v1/tokens", Map.of("name", "brief", "scopes", List.of("*")))
                .expect(201);
        try (Events run = here.as(token.path("token").asText()).stream("ticks", Map.of("to", 2_000))) {
            run.next();

            there.client().delete("/v1/tokens/" + token.path("id").asText()).expect(200);

            assertThat(run.rest().getLast().json().at("/error/code").asText()).isEqualTo("UNAUTHENTICATED");
        }
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void closesAndRetriesOnOneWhatTheOtherHadInHandWhenItWasKilled() {
        String killed = serverOf(here);
        List<String> plain = new ArrayList<>();
        List<String> retried = new ArrayList<>();
        Map<String, Object> twice = Map.of("retry", Map.of("max_attempts", 2, "backoff_ms", 100));
        for (int i = 0; i < 4; i++) {
            plain.add(queued(here, Map.of("seconds", 15), Map.of()));
            retried.add(queued(here, Map.of("seconds", 15), twice));
        }
        List<String> all = new ArrayList<>(plain);
        all.addAll(retried);
        Map<String, String> servers = Waiting.until(
                LIMIT, () -> servers(all), found -> found.size() == all.size(), "the start of all on both servers");
        List<String> waiting = new ArrayList<>();
        // Not before the server is gone: one of them that it had begun would be lost with it, as is right.
        Map<String, Object> later =
                Map.of("start_at", Instant.now().plusSeconds(5).toString());
        for (int i = 0; i < 10; i++) {
            waiting.add(queued(there, Map.of("value", i), later));
        }
        assertThat(new HashSet<>(servers.values())).hasSize(2).contains(killed);

        first.signal("KILL");

        for (String id : all) {
            boolean wasThere = killed.equals(servers.get(id));
            boolean mayAgain = retried.contains(id);
            JsonNode row = ended(id);
            assertThat(row.path("status").asText())
                    .as(row.toString())
                    .isEqualTo(wasThere && !mayAgain ? "lost" : "succeeded");
            assertThat(records(id).stream().filter("execution.admitted"::equals))
                    .as(records(id).toString())
                    .hasSize(wasThere && mayAgain ? 2 : 1);
            assertThat(records(id)).containsOnlyOnce("execution.finished");
        }
        for (String id : waiting) {
            assertThat(ended(id).path("status").asText()).isEqualTo("succeeded");
            assertThat(records(id)).containsOnlyOnce("execution.admitted", "execution.finished");
        }
    }
}
