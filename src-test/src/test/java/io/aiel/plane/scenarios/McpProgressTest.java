package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Calls of MCP that ask for progress, by hand: every message of the stream, and what ends it. Seen failing with a cancellation that
 * only wakes the reader, progress that need not grow, no limit on what is kept, and nothing kept for the response; all but the one of
 * what never begins.
 */
@ExtendWith(SharedPlane.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class McpProgressTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final String SESSION = "Mcp-Session-Id";
    private static final String STREAMS = "application/json, text/event-stream";

    private Project project;

    @BeforeAll
    void push(PackagedPlane plane) {
        project = plane.newProject("mcp-progress");
        project.push(Map.of("entry_point.py", """
                import asyncio

                from aiel_sdk import mcp_server

                slow = mcp_server("slow")

                @slow.tool("spell")
                def spell(word: str):
                    for letter in word:
                        yield letter

                @slow.tool("own")
                async def own(steps: list):
                    for step in steps:
                        yield step

                @slow.tool("flood")
                def flood():
                    for _ in range(200):
                        yield "x" * 100_000

                @slow.tool("fall")
                def fall():
                    yield "first"
                    raise RuntimeError("no luck")

                @slow.tool("endless")
                async def endless():
                    while True:
                        yield "again"
                        await asyncio.sleep(0.05)
                """));
    }

    private Answer send(Object message, String... headers) {
        return project.client().post(project.path() + "/mcp/slow", message, headers);
    }

    private static Map<String, ?> request(Object id, String method, Map<String, ?> params) {
        return Map.of("jsonrpc", "2.0", "id", id, "method", method, "params", params);
    }

    private static Map<String, ?> toolCall(Object id, String name, Map<String, ?> arguments) {
        return request(id, "tools/call", Map.of("name", name, "arguments", arguments));
    }

    private String session() {
        Answer answer = send(request(0, "initialize", Map.of("protocolVersion", "2025-11-25")));
        answer.expect(200);
        return answer.headers().firstValue(SESSION).orElseThrow();
    }

    private static Map<String, ?> watched(Object token, String name, Map<String, ?> arguments) {
        return request(
                7, "tools/call", Map.of("name", name, "arguments", arguments, "_meta", Map.of("progressToken", token)));
    }

    /** The messages of a stream. */
    private static List<JsonNode> messages(Answer answer) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type").orElse("")).startsWith("text/event-stream");
        assertThat(answer.text().lines().filter(line -> line.startsWith("event: ")))
                .allMatch("event: message"::equals);
        return answer.text()
                .lines()
                .filter(line -> line.startsWith("data: "))
                .map(line -> PlaneClient.read(line.substring(6)))
                .toList();
    }

    private static List<String> progress(List<JsonNode> messages) {
        return messages.stream()
                .filter(message -> message.path("method").asText().equals("notifications/progress"))
                .map(message -> message.path("params").toString())
                .toList();
    }

    @Test
    void tellsWhatAToolYieldsAsProgressAndAnswersAsWithoutIt() {
        List<JsonNode> told = messages(send(watched("t", "spell", Map.of("word", "hi")), "Accept", STREAMS));
        Answer atOnce = send(toolCall(7, "spell", Map.of("word", "hi")), "Accept", STREAMS);
        Answer noStream = send(watched("t", "spell", Map.of("word", "hi")), "Accept", "application/json");

        assertThat(progress(told))
                .containsExactly(
                        "{\"progressToken\":\"t\",\"progress\":1,\"message\":\"h\"}",
                        "{\"progressToken\":\"t\",\"progress\":2,\"message\":\"i\"}");
        JsonNode last = told.getLast();
        assertThat(last.path("id").asInt()).isEqualTo(7);
        assertThat(last.at("/result/content/0/text").asText()).isEqualTo("[\"h\",\"i\"]");
        assertThat(last.at("/result/content"))
                .isEqualTo(atOnce.expect(200).at("/result/content"))
                .isEqualTo(noStream.expect(200).at("/result/content"));
        assertThat(project.execution(last.at("/result/_meta")
                                .path("io.aiel.plane/execution_id")
                                .asText())
                        .path("status")
                        .asText())
                .isEqualTo("succeeded");
    }

    @Test
    void letsAToolSayItsOwnProgressAsLongAsItGrows() {
        List<JsonNode> told = messages(send(
                watched(
                        12,
                        "own",
                        Map.of(
                                "steps",
                                List.of(
                                        Map.of("progress", 0, "total", 2),
                                        Map.of("progress", 0.5, "total", 2),
                                        Map.of("progress", 0.5, "message", "not again"),
                                        Map.of("progress", -1),
                                        Map.of("progress", 2, "total", "two", "message", "done")))),
                "Accept",
                STREAMS));

        assertThat(progress(told))
                .containsExactly(
                        "{\"progressToken\":12,\"progress\":0,\"total\":2}",
                        "{\"progressToken\":12,\"progress\":0.5,\"total\":2}",
                        "{\"progressToken\":12,\"progress\":2,\"message\":\"done\"}");
        assertThat(told).hasSize(4);
    }

    @Test
    void answersInTheStreamWhateverEndsACallThatHasBegun() {
        JsonNode fallen = messages(send(watched("t", "fall", Map.of()), "Accept", STREAMS))
                .getLast();
        JsonNode flooded = messages(send(watched("t", "flood", Map.of()), "Accept", STREAMS))
                .getLast();

        assertThat(fallen.at("/result/isError").asBoolean()).isTrue();
        assertThat(fallen.at("/result/content/0/text").asText())
                .startsWith("USER_CODE_ERROR: ")
                .contains("no luck");
        assertThat(flooded.at("/result/content/0/text").asText()).startsWith("OUTPUT_LIMIT: ");
    }

    @Test
    void answersAtOnceWhatNeverBeginsAndRefusesATokenThatCannotBeToldBack() {
        Answer wrong = send(watched("t", "spell", Map.of("word", 5)), "Accept", STREAMS);
        Answer token = send(watched(Map.of(), "spell", Map.of("word", "hi")), "Accept", STREAMS);

        assertThat(wrong.expect(200).at("/result/content/0/text").asText()).contains("VALIDATION_ERROR", "/word");
        assertThat(token.expect(200).at("/error/code").asInt()).isEqualTo(-32602);
    }

    @Test
    void endsAStreamWithoutAResponseWhenItsSessionCancelsTheCall() throws Exception {
        String mine = session();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> caller =
                    threads.submit(() -> send(watched("t", "endless", Map.of()), "Accept", STREAMS, SESSION, mine));
            String id = Waiting.until(
                            LIMIT,
                            () -> project.client()
                                    .get(project.path() + "/executions?status=running&capability=slow/endless")
                                    .expect(200)
                                    .path("executions"),
                            running -> running.size() == 1,
                            "the running call")
                    .path(0)
                    .path("id")
                    .asText();
            Map<String, ?> cancelled =
                    Map.of("jsonrpc", "2.0", "method", "notifications/cancelled", "params", Map.of("requestId", 7));

            assertThat(send(cancelled, SESSION, mine).status()).isEqualTo(202);

            List<JsonNode> told = messages(caller.get());
            assertThat(told).allMatch(message -> message.has("method"));
            Waiting.until(
                    LIMIT,
                    () -> project.execution(id).path("status").asText(),
                    status -> status.equals("cancelled"),
                    "the end of the cancelled call");
            // The id is free again.
            assertThat(send(toolCall(7, "spell", Map.of("word", "a")), SESSION, mine)
                            .status())
                    .isEqualTo(200);
        }
    }
}
