package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Events and results against the schemas that authors gave, and what is said where they gave none. */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class SchemasTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            from aiel_sdk import mcp_server, tool
            from pydantic import BaseModel


            class Line(BaseModel):
                item: str
                count: int


            class Order(BaseModel):
                lines: list[Line]
                name: str


            class Total(BaseModel):
                sum: int


            @tool("order")
            def order(ctx, payload: Order):
                return {"lines": len(payload["lines"])}


            @tool("total", output_schema=Total)
            def total(ctx, payload):
                return payload


            @tool("loose")
            def loose(ctx, payload: dict) -> Total:
                return payload


            desk = mcp_server("desk")


            @desk.tool()
            def greet(name: str, loud: bool = False):
                return {"name": name}
            """);

    private static Project project;

    @BeforeAll
    static void push(PackagedPlane plane) {
        project = plane.newProject("schemas");
        project.push(CODE);
        project.tool("total", Map.of("sum", 1)).expect(200);
    }

    @Test
    void namesEachPlaceOfAnEventThatDoesNotFit() {
        Answer answer = project.tool(
                "order", Map.of("lines", List.of(Map.of("item", 1, "count", "x"), Map.of("item", "a")), "name", false));

        assertThat(answer.status()).isEqualTo(400);
        assertThat(pointers(answer.json()))
                .containsExactlyInAnyOrder("/lines/0/item", "/lines/0/count", "/lines/1", "/name");
        assertThat(answer.json().at("/meta/execution_id").isMissingNode())
                .as("nothing ran")
                .isTrue();
    }

    @Test
    void holdsArgumentsOfAnMcpToolAgainstItsSignature() {
        Answer answer = project.execute(Map.of(
                "action", "invoke",
                "kind", "mcp",
                "mcp", Map.of("server", "desk", "tool", "greet", "args", Map.of("nme", "x"))));

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/details/errors")).hasSize(2);
    }

    @Test
    void recordsAResultThatDoesNotFitAndGivesIt() {
        Answer answer = project.tool("total", Map.of("sum", "many", "secret-name", 1));

        assertThat(answer.status()).isEqualTo(200);
        String id = answer.executionId();
        List<JsonNode> records = project.auditOf(id, found -> found.toString().contains("execution.finished"), LIMIT);
        assertThat(records.toString()).contains("\"output_problems\":1").doesNotContain("secret-name", "many");
        assertThat(project.client()
                        .get(project.path() + "/executions/" + id + "/logs")
                        .text())
                .contains("plane.output_invalid", "/sum");
    }

    @Test
    void withholdsItInAStrictProject(PackagedPlane plane) {
        Project strict = plane.newProject("schemas-strict");
        strict.push(CODE);
        strict.client()
                .send("PUT", strict.path() + "/settings", "{\"output_schema\": \"strict\"}")
                .expect(200);
        Answer answer = Waiting.until(
                LIMIT,
                () -> strict.tool("total", Map.of("sum", "many")),
                found -> found.status() != 200,
                "the setting to count");

        assertThat(answer.status()).isEqualTo(501);
        assertThat(answer.json().at("/error/code").asText()).isEqualTo("OUTPUT_INVALID");
        assertThat(pointers(answer.json())).containsExactly("/sum");
        assertThat(answer.json().path("result").isNull()).isTrue();
        assertThat(strict.execution(answer.executionId()).path("status").asText())
                .isEqualTo("failed");
        assertThat(strict.tool("total", Map.of("sum", 3)).status()).isEqualTo(200);
        assertThat(strict.tool("loose", Map.of("sum", "many")).status())
                .as("a derived schema holds nobody to anything")
                .isEqualTo(200);
    }

    @Test
    void saysWhichSchemasNobodyGave() {
        JsonNode loose = project.client()
                .get(project.path() + "/capabilities/tool/loose")
                .expect(200);

        assertThat(loose.at("/input_schema/derived").asBoolean()).isTrue();
        assertThat(loose.at("/output_schema/derived").asBoolean()).isTrue();
        assertThat(loose.at("/output_schema/required/0").asText()).isEqualTo("sum");
        assertThat(project.client()
                        .get(project.path() + "/capabilities/tool/total")
                        .json()
                        .at("/output_schema")
                        .has("derived"))
                .isFalse();
    }

    @Test
    void namesWhatIsWrongWithSettings() {
        Answer answer = project.client()
                .send(
                        "PUT",
                        project.path() + "/settings",
                        "{\"output_schema\": \"lax\", \"http\": {\"allowed_origins\": [\"https://a.example/path\", 1]}}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(pointers(answer.json()))
                .containsExactly("/output_schema", "/http/allowed_origins/0", "/http/allowed_origins/1");
    }

    private static List<String> pointers(JsonNode refused) {
        List<String> pointers = new ArrayList<>();
        refused.at("/error/details/errors")
                .forEach(error -> pointers.add(error.path("pointer").asText()));
        return pointers;
    }
}
