package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * However badly a run ends, it ends in its own clear code, on record once, and the next call finds a worker.
 *
 * <p>Seen to fail: with the service's own subscription taken out of {@code ExecutionService.execute}, the departure of a client left
 * its execution {@code running}, and the last test waited in vain.
 */
@ExtendWith(SharedPlane.class)
class BadEndsTest {
    private static Project project;

    @BeforeAll
    static void push(PackagedPlane plane) {
        project = plane.newProject("bad-ends");
        project.push(Map.of("entry_point.py", """
                import asyncio
                import os
                import threading
                import time

                from aiel_sdk import tool

                @tool("well")
                def well(ctx, payload):
                    return {"well": True}

                @tool("loop")
                def loop(ctx, payload):
                    while True:
                        pass

                @tool("wait")
                async def wait(ctx, payload):
                    await asyncio.sleep(1000)

                @tool("sleep")
                def sleep(ctx, payload):
                    time.sleep(payload["seconds"])
                    return {}

                @tool("memory")
                def memory(ctx, payload):
                    kept = []
                    while True:
                        kept.append(bytearray(8 << 20))

                @tool("crash")
                def crash(ctx, payload):
                    os._exit(3)

                @tool("leave")
                def leave(ctx, payload):
                    raise SystemExit(5)

                @tool("fork")
                def fork(ctx, payload):
                    return {"pid": os.fork()}

                @tool("large")
                def large(ctx, payload):
                    return {"text": "x" * 50_000_000}
                """));
    }

    static Stream<Arguments> ends() {
        return Stream.of(
                argumentSet("a sync loop", "loop", 504, "TIMEOUT", "timed_out"),
                argumentSet("an async wait", "wait", 504, "TIMEOUT", "timed_out"),
                argumentSet("memory without end", "memory", 500, "MEMORY_LIMIT", "killed"),
                argumentSet("a crash", "crash", 502, "WORKER_LOST", "killed"),
                argumentSet("SystemExit", "leave", 500, "USER_CODE_ERROR", "failed"),
                argumentSet("a fork", "fork", 403, "SECURITY_VIOLATION", "failed"),
                argumentSet("a result that is too large", "large", 500, "OUTPUT_LIMIT", "failed"));
    }

    @ParameterizedTest
    @MethodSource("ends")
    void endsInItsOwnCodeAndLeavesAFreshWorker(String tool, int httpStatus, String code, String status) {
        Answer run = project.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "tool",
                "handler",
                tool,
                "event",
                Map.of(),
                "meta",
                Map.of("timeout_ms", 3000)));

        assertThat(run.status()).isEqualTo(httpStatus);
        assertThat(run.json().at("/error/code").asText()).isEqualTo(code);
        assertThat(project.execution(run.executionId()).path("status").asText()).isEqualTo(status);
        assertThat(project.terminalRecords(run.executionId())).hasSize(1);
        assertThat(project.tool("well", Map.of()).expect(200).at("/result/well").asBoolean())
                .isTrue();
    }

    @Test
    void stopsTheWorkerWhenTheClientDisconnects() throws IOException {
        String marker = "departed-" + System.nanoTime();
        leaveAfterAsking(marker);

        JsonNode execution = Waiting.until(
                Duration.ofSeconds(20),
                () -> ofRequest(marker),
                found -> !found.path("finished_at").isNull() && !found.isMissingNode(),
                "the execution of a client that left ends");

        assertThat(execution.path("status").asText()).isEqualTo("cancelled");
        assertThat(project.terminalRecords(execution.path("id").asText())).hasSize(1);
        assertThat(project.tool("well", Map.of()).expect(200).at("/result/well").asBoolean())
                .isTrue();
    }

    /** Asks for a run of a minute and closes the connection once the run has begun. */
    private static void leaveAfterAsking(String requestId) throws IOException {
        URI base = project.client().base();
        byte[] body = PlaneClient.text(
                        Map.of("action", "invoke", "kind", "tool", "handler", "sleep", "event", Map.of("seconds", 60)))
                .getBytes(StandardCharsets.UTF_8);
        String head = "POST " + project.path() + "/executions HTTP/1.1\r\nHost: " + base.getAuthority()
                + "\r\nAuthorization: Bearer " + project.client().token() + "\r\nX-Request-Id: " + requestId
                + "\r\nContent-Type: application/json\r\nContent-Length: " + body.length + "\r\n\r\n";
        try (Socket socket = new Socket(base.getHost(), base.getPort())) {
            OutputStream out = socket.getOutputStream();
            out.write(head.getBytes(StandardCharsets.US_ASCII));
            out.write(body);
            out.flush();
            Waiting.until(
                    Duration.ofSeconds(20),
                    () -> ofRequest(requestId),
                    found -> found.path("status").asText().equals("running"),
                    "the execution begins");
        }
    }

    private static JsonNode ofRequest(String requestId) {
        JsonNode listed = project.client()
                .get(project.path() + "/executions?limit=20")
                .expect(200)
                .path("executions");
        return listed.valueStream()
                .filter(execution -> execution.path("request_id").asText().equals(requestId))
                .findFirst()
                .orElseGet(() -> com.fasterxml.jackson.databind.node.MissingNode.getInstance());
    }
}
