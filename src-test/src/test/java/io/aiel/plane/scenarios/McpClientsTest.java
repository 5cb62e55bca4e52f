package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.McpClient;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The official clients of MCP find and call a project's tools: the Python one by the revision without handshake and by the one with it, the
 * TypeScript one by the latter. Without Node on the machine that one is not tried, and the output says so.
 */
@ExtendWith(SharedPlane.class)
class McpClientsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import asyncio

            from aiel_sdk import mcp_server, tool
            from pydantic import BaseModel

            class Sum(BaseModel):
                sum: int

            desk = mcp_server("desk")

            @desk.tool("add", description="Adds two whole numbers.", tags=("read_only",), output_schema=Sum)
            def add(a: int, b: int = 1) -> dict:
                return {"sum": a + b}

            @desk.tool("shout")
            def shout(text: str):
                return text.upper()

            @desk.tool("fail")
            def fail():
                raise RuntimeError("no luck")

            @desk.tool("wait")
            async def wait(seconds: float):
                await asyncio.sleep(seconds)
                return {"waited": seconds}

            @tool("plain", description="A tool of no server.")
            def plain(ctx, payload):
                return {"got": payload}
            """);

    /** The clients, by what they are and how they begin. */
    private static Map<String, McpClient> clients() {
        Map<String, McpClient> clients = new LinkedHashMap<>();
        clients.put("Python, 2026-07-28", McpClient.python("auto"));
        clients.put("Python, 2025-11-25", McpClient.python("legacy"));
        McpClient.typescript().ifPresent(client -> clients.put("TypeScript, 2025-11-25", client));
        return clients;
    }

    private static Stream<DynamicTest> eachClient(BiConsumer<String, McpClient> test) {
        return clients().entrySet().stream()
                .map(client -> DynamicTest.dynamicTest(
                        client.getKey(), () -> test.accept(client.getKey(), client.getValue())));
    }

    private static Project project(PackagedPlane plane) {
        Project project = plane.newProject("mcp-" + Long.toHexString(System.nanoTime()));
        project.push(CODE);
        return project;
    }

    private static Map<String, ?> call(String name, Map<String, ?> arguments) {
        return Map.of("do", "call", "name", name, "arguments", arguments);
    }

    private static List<String> names(JsonNode list) {
        return list.path("tools")
                .valueStream()
                .map(tool -> tool.path("name").asText())
                .toList();
    }

    @TestFactory
    Stream<DynamicTest> findsAndCallsTheToolsOfAServer(PackagedPlane plane) {
        Project project = project(plane);
        return eachClient((name, client) -> {
            JsonNode seen = client.run(
                    project,
                    "/mcp/desk",
                    List.of(
                            Map.of("do", "list"),
                            call("add", Map.of("a", 2, "b", 3)),
                            call("shout", Map.of("text", "hey")),
                            call("fail", Map.of()),
                            call("add", Map.of("a", "two")),
                            call("nothing", Map.of()),
                            Map.of("do", "ping")));

            assertThat(name).endsWith(seen.path("protocol").asText());
            assertThat(seen.path("server").asText()).isEqualTo("desk");
            JsonNode results = seen.path("results");
            assertThat(names(results.path(0))).containsExactly("add", "fail", "shout", "wait");
            JsonNode add = results.at("/0/tools/0");
            assertThat(add.path("description").asText()).isEqualTo("Adds two whole numbers.");
            assertThat(add.at("/inputSchema/properties/a/type").asText()).isEqualTo("integer");
            assertThat(add.at("/inputSchema/required/0").asText()).isEqualTo("a");
            assertThat(add.at("/outputSchema/properties/sum/type").asText()).isEqualTo("integer");
            assertThat(add.at("/annotations/readOnlyHint").asBoolean()).isTrue();
            assertThat(results.at("/1/structuredContent/sum").asInt()).isEqualTo(5);
            assertThat(results.at("/1/content/0/text").asText()).isEqualTo("{\"sum\":5}");
            assertThat(results.at("/2/content/0/text").asText()).isEqualTo("HEY");
            assertThat(results.path(2).has("structuredContent")).isFalse();
            assertThat(results.at("/3/isError").asBoolean()).isTrue();
            assertThat(results.at("/3/content/0/text").asText())
                    .startsWith("USER_CODE_ERROR: ")
                    .contains("no luck")
                    .doesNotContain("Traceback");
            assertThat(results.at("/4/isError").asBoolean()).isTrue();
            assertThat(results.at("/4/content/0/text").asText()).contains("VALIDATION_ERROR", "/a");
            assertThat(results.at("/5/error/code").asInt()).isEqualTo(-32602);
            String execution =
                    results.at("/1/_meta").path("io.aiel.plane/execution_id").asText();
            JsonNode row = project.execution(execution);
            assertThat(row.path("status").asText()).isEqualTo("succeeded");
            assertThat(row.toString()).contains("desk/add");
        });
    }

    @TestFactory
    Stream<DynamicTest> hearsOfTheProgressThatItAskedFor(PackagedPlane plane) {
        Project project = plane.newProject("mcp-" + Long.toHexString(System.nanoTime()));
        project.push(Map.of("entry_point.py", """
                from aiel_sdk import mcp_server

                desk = mcp_server("desk")

                @desk.tool("climb")
                async def climb(steps: int):
                    for step in range(steps):
                        yield {"progress": step + 1, "total": steps, "message": "step %d" % (step + 1)}
                """));
        return eachClient((_, client) -> {
            Map<String, Object> asking = new LinkedHashMap<>(call("climb", Map.of("steps", 3)));
            asking.put("progress", true);

            JsonNode results = client.run(project, "/mcp/desk", List.of(asking, call("climb", Map.of("steps", 3))))
                    .path("results");

            assertThat(results.at("/0/heard").valueStream())
                    .extracting(one -> one.path("progress").asInt() + " of "
                            + one.path("total").asInt() + ", "
                            + one.path("message").asText())
                    .containsExactly("1 of 3, step 1", "2 of 3, step 2", "3 of 3, step 3");
            assertThat(results.at("/1/heard")).isEmpty();
            assertThat(results.at("/0/content/0/text").asText())
                    .isEqualTo(results.at("/1/content/0/text").asText())
                    .contains("step 3");
            assertThat(results.at("/0/isError").asBoolean()).isFalse();
        });
    }

    @TestFactory
    Stream<DynamicTest> findsAndCallsAllToolsOfAProject(PackagedPlane plane) {
        Project project = project(plane);
        return eachClient((_, client) -> {
            JsonNode results = client.run(
                            project,
                            "/mcp",
                            List.of(
                                    Map.of("do", "list"),
                                    call("desk.add", Map.of("a", 2)),
                                    call("plain", Map.of("x", 1)),
                                    call("add", Map.of("a", 2))))
                    .path("results");

            assertThat(names(results.path(0)))
                    .containsExactly("desk.add", "desk.fail", "desk.shout", "desk.wait", "plain");
            assertThat(results.at("/1/structuredContent/sum").asInt()).isEqualTo(3);
            assertThat(results.at("/2/structuredContent/got/x").asInt()).isEqualTo(1);
            assertThat(results.at("/3/error/code").asInt()).isEqualTo(-32602);
        });
    }

    /** Up to 2025-11-25 the client says so in a notification; after it, by leaving. */
    @TestFactory
    Stream<DynamicTest> stopsACallThatItsClientGivesUp(PackagedPlane plane) {
        return eachClient((_, client) -> {
            Project project = project(plane);
            client.run(project, "/mcp/desk", List.of(call("wait", Map.of("seconds", 0))));

            JsonNode results = client.run(
                            project,
                            "/mcp/desk",
                            List.of(
                                    Map.of(
                                            "do",
                                            "abandon",
                                            "name",
                                            "wait",
                                            "arguments",
                                            Map.of("seconds", 25),
                                            "after_ms",
                                            1500),
                                    // Still there, so it is not the end of the connection that stops it.
                                    call("wait", Map.of("seconds", 2))))
                    .path("results");

            assertThat(results.at("/0/abandoned").asBoolean()).isTrue();
            assertThat(results.at("/1/structuredContent/waited").asInt()).isEqualTo(2);
            Waiting.until(
                    LIMIT,
                    () -> project.client()
                            .get(project.path() + "/executions?status=cancelled")
                            .expect(200)
                            .path("executions")
                            .size(),
                    cancelled -> cancelled == 1,
                    "the cancelled execution");
        });
    }
}
