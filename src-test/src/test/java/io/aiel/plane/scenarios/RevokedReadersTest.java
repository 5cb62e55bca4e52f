package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Events;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A stream ends when its reader may not read any more, and not only when it is over. Those that want an end seen failing when nobody is looked at after he
 * was let in.
 */
@ExtendWith(SharedPlane.class)
class RevokedReadersTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    /** Two seconds are promised; the rest is for a machine that does other work. */
    private static final Duration SOON = Duration.ofSeconds(5);

    private static Project project;

    @BeforeAll
    static void push(PackagedPlane plane) {
        project = plane.newProject("revoked-readers");
        project.push(Map.of("entry_point.py", """
                import time

                from aiel_sdk import tool

                @tool("ticks")
                def ticks(ctx, payload):
                    for i in range(payload["to"]):
                        yield {"i": i}
                        time.sleep(0.05)
                    return {"ticked": payload["to"]}
                """));
        project.tool("ticks", Map.of("to", 1)).expect(200);
    }

    /** Somebody with a role of his own, and what takes it from him again. */
    private record Somebody(Project project, String token, String grant) {
        void revoke() {
            RevokedReadersTest.project.client().delete("/v1/tokens/" + token).expect(200);
        }

        void withdraw() {
            Answer taken = RevokedReadersTest.project.client().delete(grant);
            assertThat(taken.status() / 100).as(taken.text()).isEqualTo(2);
        }
    }

    private static Somebody somebody(String... roles) {
        JsonNode principal = project.client()
                .post(
                        "/v1/principals",
                        Map.of(
                                "kind",
                                "service",
                                "name",
                                "reader-" + UUID.randomUUID(),
                                "grants",
                                List.of(roles).stream()
                                        .map(role -> Map.of("role", role))
                                        .toList()))
                .expect(201);
        String id = principal.path("id").asText();
        JsonNode token = project.client()
                .post("/v1/tokens", Map.of("name", "t", "scopes", List.of("*"), "principal_id", id))
                .expect(201);
        String grant = principal
                .path("grants")
                .valueStream()
                .filter(one -> one.path("role").asText().equals(roles[0]))
                .findFirst()
                .orElseThrow()
                .path("id")
                .asText();
        return new Somebody(
                project.as(token.path("token").asText()),
                token.path("id").asText(),
                "/v1/principals/" + id + "/grants/" + grant);
    }

    private static String started(Events events) {
        Events.Event first = events.next().orElseThrow();
        assertThat(first.name()).isEqualTo("started");
        return first.json().path("execution_id").asText();
    }

    private static Events follow(Project as, String execution) {
        Events records = Events.get(as.client(), as.path() + "/executions/" + execution + "/events");
        assertThat(records.status()).isEqualTo(200);
        assertThat(records.next().orElseThrow().name()).isEqualTo("record");
        return records;
    }

    /** What came after a moment, which must be an error as the last event, soon. */
    private static JsonNode lastError(Events events, long since) {
        Events.Event last = events.rest().getLast();
        assertThat(Duration.ofNanos(System.nanoTime() - since)).isLessThan(SOON);
        assertThat(last.name()).as(last.data()).isEqualTo("error");
        return last.json();
    }

    @Test
    void endsAFollowerWhoseTokenIsRevokedAndNoOther() {
        Somebody reader = somebody("viewer");
        try (Events run = project.stream("ticks", Map.of("to", 200))) {
            String id = started(run);
            try (Events theirs = follow(reader.project(), id);
                    Events ours = follow(project, id)) {
                reader.revoke();
                long revoked = System.nanoTime();

                Events.Event last = theirs.rest().getLast();

                assertThat(Duration.ofNanos(System.nanoTime() - revoked)).isLessThan(SOON);
                assertThat(last.name()).as(last.data()).isEqualTo("error");
                assertThat(last.id())
                        .as("a reader who comes again misses nothing")
                        .isEmpty();
                assertThat(last.json().at("/error/code").asText()).isEqualTo("UNAUTHENTICATED");
                assertThat(project.execution(id).path("status").asText()).isEqualTo("running");
                assertThat(ours.rest().getLast().json().path("type").asText()).contains("execution.finished");
            }
            assertThat(run.rest().getLast().name()).isEqualTo("result");
        }
    }

    @Test
    void endsAFollowerWhoseLastRoleIsWithdrawn() {
        Somebody reader = somebody("viewer");
        try (Events run = project.stream("ticks", Map.of("to", 200));
                Events theirs = follow(reader.project(), started(run))) {
            reader.withdraw();

            JsonNode error = lastError(theirs, System.nanoTime());

            assertThat(error.at("/error/code").asText()).isEqualTo("UNAUTHENTICATED");
        }
    }

    @Test
    void letsAFollowerGoOnWhoMayStillReadWithAnotherRole() {
        Somebody reader = somebody("developer", "viewer");
        try (Events run = project.stream("ticks", Map.of("to", 80));
                Events theirs = follow(reader.project(), started(run))) {
            reader.withdraw();

            assertThat(theirs.rest().getLast().json().path("type").asText()).contains("execution.finished");
        }
    }

    @Test
    void endsAndCancelsTheStreamOfACallerWhoseTokenIsRevoked() {
        Somebody caller = somebody("developer");
        try (Events run = caller.project().stream("ticks", Map.of("to", 2_000))) {
            String id = started(run);
            caller.revoke();

            JsonNode error = lastError(run, System.nanoTime());

            assertThat(error.at("/error/code").asText()).isEqualTo("UNAUTHENTICATED");
            JsonNode row = Waiting.until(
                    LIMIT,
                    () -> project.execution(id),
                    found -> !found.path("finished_at").isNull(),
                    "the end of an execution whose caller is nobody any more");
            assertThat(row.path("status").asText()).isEqualTo("cancelled");
            assertThat(project.terminalRecords(id)).hasSize(1);
        }
    }

    @Test
    void endsTheStreamOfACallerWhoMayStillReadAndNotRun() {
        Somebody caller = somebody("developer", "viewer");
        try (Events run = caller.project().stream("ticks", Map.of("to", 2_000))) {
            started(run);
            caller.withdraw();

            JsonNode error = lastError(run, System.nanoTime());

            assertThat(error.at("/error/code").asText()).isEqualTo("POLICY_DENIED");
            assertThat(error.at("/error/message").asText()).contains("no role that grants this action");
        }
    }

    @Test
    void runsToItsEndForTheKeyOfACallerWhoseTokenIsRevoked() {
        Somebody caller = somebody("developer");
        try (Events run = caller.project().stream("ticks", Map.of("to", 100), "Idempotency-Key", "revoked-reader")) {
            String id = started(run);
            caller.revoke();

            JsonNode error = lastError(run, System.nanoTime());

            assertThat(error.at("/error/code").asText()).isEqualTo("UNAUTHENTICATED");
            JsonNode row = Waiting.until(
                    LIMIT,
                    () -> project.execution(id),
                    found -> !found.path("finished_at").isNull(),
                    "the end of an execution under a key");
            assertThat(row.path("status").asText()).isEqualTo("succeeded");
        }
    }
}
