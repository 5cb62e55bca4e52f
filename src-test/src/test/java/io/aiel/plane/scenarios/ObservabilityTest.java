package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * One trace from the caller to the user's code and the audit log, the isolation of each run, and the figures that operators
 * look at.
 *
 * <p>Meant to fail: with the worker given a trace id of its own, the first test.
 */
@ExtendWith(SharedPlane.class)
class ObservabilityTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final String TRACEPARENT = "00-" + TRACE + "-00f067aa0ba902b7-01";

    private static Project project;

    @BeforeAll
    static void push(PackagedPlane plane) {
        project = plane.newProject("observability");
        project.push(Map.of("entry_point.py", """
                import os

                from aiel_sdk import tool

                @tool("trace")
                def trace(ctx, payload):
                    ctx.log("seen")
                    print("on standard output")
                    return {"trace_id": ctx.trace_id, "environment": sorted(os.environ), "uid": os.getuid()}

                @tool("status_of")
                def status_of(ctx, payload):
                    return {"status": payload["status"]}
                """));
    }

    @Test
    void carriesTheCallersTraceThrough() {
        Answer run = project.tool("trace", Map.of(), "traceparent", TRACEPARENT);

        assertThat(run.expect(200).at("/result/trace_id").asText()).isEqualTo(TRACE);
        assertThat(run.json().at("/meta/trace_id").asText()).isEqualTo(TRACE);
        List<JsonNode> records = project.auditOf(run.executionId(), list -> list.size() >= 4, Duration.ofSeconds(20));
        assertThat(records)
                .allSatisfy(record ->
                        assertThat(record.at("/event/traceparent").asText()).contains(TRACE));
    }

    @Test
    void saysHowTheRunWasIsolatedAndWhatItUsed() {
        Answer run = project.tool("trace", Map.of());
        JsonNode meta = run.expect(200).path("meta");

        assertThat(meta.at("/isolation/tier").asText()).isEqualTo("namespaces");
        assertThat(meta.at("/isolation/no_new_privs").asBoolean()).isTrue();
        assertThat(meta.at("/isolation/namespaces")).isNotEmpty();
        assertThat(meta.at("/usage/wall_ms").isNumber()).isTrue();
        assertThat(meta.at("/usage/max_rss_bytes").asLong()).isPositive();
        assertThat(project.execution(run.executionId()).path("isolation"))
                .as("in the execution's row")
                .isEqualTo(meta.path("isolation"));
        assertThat(project.auditOf(
                        run.executionId(),
                        list -> list.stream()
                                .anyMatch(record -> record.toString().contains("execution.finished")),
                        Duration.ofSeconds(20)))
                .filteredOn(record -> record.at("/event/type").asText().equals("io.aiel.plane.execution.finished.v1"))
                .singleElement()
                .satisfies(record -> assertThat(record.at("/event/data/isolation"))
                        .as("on record")
                        .isEqualTo(meta.path("isolation")));
    }

    @Test
    void showsTheCodeNothingOfTheServersEnvironment() {
        JsonNode environment = project.tool("trace", Map.of()).expect(200).at("/result/environment");

        assertThat(environment.valueStream().map(JsonNode::asText))
                .noneMatch(name -> name.contains("PASSWORD") || name.startsWith("QUARKUS") || name.startsWith("KAFKA"))
                .contains("AIEL_WORKSPACE_ID", "AIEL_PROJECT_ID", "EP_FILES_ROOT");
    }

    @Test
    void keepsTheLogsOfARun() {
        Answer run = project.tool("trace", Map.of());
        run.expect(200);

        JsonNode logs = project.client()
                .get(project.path() + "/executions/" + run.executionId() + "/logs")
                .expect(200);

        assertThat(logs.toString()).contains("\"seen\"").contains("on standard output");
    }

    @Test
    void countsRunsInTheMetrics(PackagedPlane plane) {
        project.tool("trace", Map.of()).expect(200);

        Answer metrics = plane.client().get("/q/metrics");

        assertThat(metrics.status()).isEqualTo(200);
        assertThat(metrics.text()).contains("plane_executions_seconds_count{", "status=\"succeeded\"");
        assertThat(metrics.text()).contains("plane_executions_live");
    }

    @Test
    void keepsMetricsFromStrangers(PackagedPlane plane) {
        assertThat(plane.client().as("").get("/q/metrics").status()).isEqualTo(401);
        assertThat(plane.client().as("").get("/q/openapi").status()).isEqualTo(401);
        assertThat(plane.client().as("").get("/q/health/live").status()).isEqualTo(200);
    }

    /** HTTP has no body with 204 and 304, and 1xx is no answer; the envelope keeps what the code said. */
    @Test
    void answersTheEnvelopeAlsoWhereHttpHasNoBody() {
        for (int status : new int[] {204, 304, 101}) {
            Answer run = project.tool("status_of", Map.of("status", status));

            assertThat(run.status()).as("HTTP status for %d", status).isEqualTo(200);
            assertThat(run.json().path("http_status").asInt()).isEqualTo(status);
        }
    }

    @Test
    void runsNeverAsRoot() {
        assertThat(project.tool("trace", Map.of()).expect(200).at("/result/uid").asInt())
                .isNotZero();
    }
}
