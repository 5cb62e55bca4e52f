package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Many requests with one call, and one input run again. */
@ExtendWith(SharedPlane.class)
class BatchAndReplayTest {
    private static final String CODE = """
            from aiel_sdk import tool

            @tool("double")
            def double(ctx, payload):
                if payload.get("fail"):
                    raise RuntimeError("as asked")
                return {"value": %d * payload["value"]}
            """;

    private static Project project(PackagedPlane plane) {
        Project project =
                plane.newProject("batch-" + UUID.randomUUID().toString().substring(0, 8));
        project.push(Map.of("entry_point.py", CODE.formatted(2)));
        doubled(project, 1, Map.of()).expect(200);
        return project;
    }

    private static Map<String, Object> request(Object event, Map<String, ?> meta) {
        return Map.of("action", "invoke", "kind", "tool", "handler", "double", "event", event, "meta", meta);
    }

    private static Answer doubled(Project project, int value, Map<String, ?> meta) {
        return project.execute(request(Map.of("value", value), meta));
    }

    private static Answer batch(Project project, Object body, String... headers) {
        return project.client().post(project.path() + "/executions:batch", body, headers);
    }

    private static Answer replay(Project project, String id, Object body, String... headers) {
        return project.client().post(project.path() + "/executions/" + id + ":replay", body, headers);
    }

    @Test
    void answersEachRequestOfABatchInTheirOrder(PackagedPlane plane) {
        Project project = project(plane);
        List<Object> requests = new ArrayList<>();
        IntStream.range(0, 100).forEach(i -> requests.add(request(Map.of("value", i), Map.of())));

        JsonNode results =
                batch(project, Map.of("requests", requests)).expect(200).path("results");

        assertThat(results).hasSize(100);
        for (int i = 0; i < 100; i++) {
            assertThat(results.path(i).path("index").asInt()).isEqualTo(i);
            assertThat(results.path(i).path("status").asInt())
                    .as(results.path(i).toString())
                    .isEqualTo(200);
            assertThat(results.path(i).at("/envelope/result/value").asInt()).isEqualTo(2 * i);
        }
        assertThat(results.valueStream()
                        .map(result -> result.at("/envelope/meta/execution_id").asText()))
                .as("each is an execution of its own")
                .doesNotHaveDuplicates();
    }

    @Test
    void letsNoBadRequestSpoilTheOthers(PackagedPlane plane) {
        Project project = project(plane);

        JsonNode results = batch(
                        project,
                        Map.of(
                                "requests",
                                List.of(
                                        request(Map.of("value", 1), Map.of()),
                                        "nonsense",
                                        request(Map.of("value", 1, "fail", true), Map.of()),
                                        request(Map.of("value", 2), Map.of("timeout_ms", -1)),
                                        Map.of("action", "describe", "environment", "nowhere"),
                                        request(Map.of("value", 3), Map.of("retry", Map.of("max_attempts", 2))),
                                        request(Map.of("value", 4), Map.of()))))
                .expect(200)
                .path("results");

        assertThat(results.valueStream().map(result -> result.path("status").asInt()))
                .containsExactly(200, 400, 500, 400, 409, 400, 200);
        assertThat(results.path(1).path("envelope").path("ok").asBoolean(true)).isFalse();
        assertThat(results.path(4).at("/problem/code").asText()).isEqualTo("NO_DEPLOYMENT");
        assertThat(results.path(6).at("/envelope/result/value").asInt()).isEqualTo(8);
    }

    @Test
    void refusesBatchesThatAreNone(PackagedPlane plane) {
        Project project = project(plane);
        List<Object> many = new ArrayList<>();
        IntStream.range(0, 101).forEach(i -> many.add(Map.of("action", "describe")));

        for (Object body : List.of(
                Map.of(), Map.of("requests", List.of()), Map.of("requests", many), Map.of("requests", Map.of()))) {
            Answer answer = batch(project, body);
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.json().at("/error/details/errors/0/pointer").asText())
                    .isEqualTo("/requests");
        }
        assertThat(batch(project, Map.of("requests", List.of(1), "more", 1))
                        .json()
                        .at("/error/details/errors/0/pointer")
                        .asText())
                .isEqualTo("/more");
        assertThat(batch(project, Map.of("requests", List.of(1)), "Idempotency-Key", "k")
                        .status())
                .isEqualTo(400);
    }

    @Test
    void runsAKeptInputAgainOnTheSameSnapshotOrAnother(PackagedPlane plane) {
        Project project = project(plane);
        String first = doubled(project, 5, Map.of("keep_input", true)).executionId();
        project.push(Map.of("entry_point.py", CODE.formatted(3)));
        doubled(project, 1, Map.of()).expect(200);

        Answer same = replay(project, first, "{}");
        Answer newest = replay(project, first, Map.of("environment", "production"));

        assertThat(same.expect(200).at("/result/value").asInt()).isEqualTo(10);
        assertThat(newest.expect(200).at("/result/value").asInt()).isEqualTo(15);
        assertThat(project.execution(same.executionId()).path("replay_of").asText())
                .isEqualTo(first);
        JsonNode requested =
                project.auditOf(same.executionId(), list -> list.size() >= 4, java.time.Duration.ofMinutes(1)).stream()
                        .filter(record -> record.at("/event/type").asText().contains("execution.requested"))
                        .findFirst()
                        .orElseThrow();
        assertThat(requested.at("/event/data/replay_of").asText()).isEqualTo(first);
        assertThat(replay(project, first, "{}", "Prefer", "respond-async").status())
                .isEqualTo(202);
    }

    /** Which is not the one that is deployed. */
    @Test
    void runsAKeptInputAgainOnASnapshotThatIsNamed(PackagedPlane plane) {
        Project project = project(plane);
        String earlier = doubled(project, 1, Map.of()).executionId();
        project.push(Map.of("entry_point.py", CODE.formatted(3)));
        String later = doubled(project, 5, Map.of("keep_input", true)).executionId();
        String snapshot = project.execution(earlier).path("snapshot_digest").asText();

        Answer answer = replay(project, later, Map.of("snapshot", snapshot));

        assertThat(answer.expect(200).at("/result/value").asInt()).isEqualTo(10);
        assertThat(project.execution(answer.executionId())
                        .path("snapshot_digest")
                        .asText())
                .isEqualTo(snapshot);
        assertThat(replay(project, later, Map.of("snapshot", "sha256:" + "0".repeat(64)))
                        .status())
                .isEqualTo(404);
    }

    @Test
    void saysThatAnInputWasNotKept(PackagedPlane plane) {
        Project project = project(plane);
        String first = doubled(project, 5, Map.of()).executionId();

        Answer answer = replay(project, first, "{}");

        assertThat(answer.status()).isEqualTo(409);
        assertThat(answer.errorCode()).isEqualTo("INPUT_NOT_KEPT");
        assertThat(replay(project, first, Map.of("snapshots", "x")).status()).isEqualTo(400);
        assertThat(replay(project, "exec_" + "0".repeat(32), "{}").status()).isEqualTo(404);
    }

    @Test
    void runsNobodysInputForAnother(PackagedPlane plane) {
        Project project = project(plane);
        String first = doubled(project, 5, Map.of("keep_input", true)).executionId();
        Project another = project.asAnother("developer");

        Answer answer = replay(another, first, "{}");

        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.errorCode()).isEqualTo("PERMISSION_DENIED");
    }
}
