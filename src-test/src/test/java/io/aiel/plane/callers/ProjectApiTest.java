package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.OpenApiValidator;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Sample;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The document that a project has of itself: OpenAPI by somebody else's word, and what the project offers. */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class ProjectApiTest {
    private static final Map<String, String> ODD = Map.of("entry_point.py", """
            from typing import Annotated, Literal, Optional, Union

            from aiel_sdk import agent, flow, http, mcp_server, router, tool
            from pydantic import BaseModel, Field


            class Cat(BaseModel):
                kind: Literal["cat"]
                lives: int = Field(examples=[9])
                kittens: list["Cat"] = []


            class Dog(BaseModel):
                kind: Literal["dog"]
                default: Optional[str] = None


            class Pet(BaseModel):
                pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]
                mapping: dict[str, Cat] = {}


            class Order(BaseModel):
                item: str = Field(examples=["duck"])
                count: int = Field(1, ge=1)


            @tool("pets/ä new", output_schema=Pet)
            def pets(ctx, payload: Pet):
                return payload


            @tool("order", tags=("shop", "shop"))
            def order(ctx, payload: Order) -> Order:
                return payload


            @tool("elsewhere", output_schema={"$ref": "https://example.com/schema.json"})
            def elsewhere(ctx, payload):
                return {}


            @tool("anchored", output_schema={"$defs": {"a": {"$anchor": "here", "type": "object"}}, "$ref": "#here"})
            def anchored(ctx, payload):
                return {}


            @agent("a_b")
            def one(ctx, payload):
                return {}


            @agent("a/b")
            def two(ctx, payload):
                return {}


            @http.get("/users/{id}")
            def user(ctx, request) -> Order:
                return {}


            @http.post("/users/{name}")
            def change(ctx, body: Order):
                return {}


            @http.get("/users/{id}/{b}c d")
            def strange(ctx, request):
                return {}


            @http.get("no-slash")
            def unreachable(ctx, request):
                return {}


            desk = mcp_server("desk", tools=["order"])


            @desk.tool()
            def count(text: str, deep: bool = False) -> int:
                return 0
            """);

    private static JsonNode document(Project project) {
        return project.client().get(project.path() + "/openapi.json").expect(200);
    }

    /** With references left as they stand in each schema, the validator was seen to fail on the document of {@code ODD}. */
    @Test
    void isOpenApiByTheWordOfAnotherProgram(PackagedPlane plane) throws IOException {
        OpenApiValidator validator = OpenApiValidator.install();
        Project odd = plane.newProject("api-odd");
        odd.push(ODD);
        Project table = plane.newProject("api-table");
        table.push(Sample.of("table").files());

        Project hello = plane.newProject("api-hello");
        hello.push(Map.of(
                "entry_point.py",
                Files.readString(PackagedPlane.repository().resolve("samples/hello/entry_point.py"))));

        for (Project project : List.of(hello, odd, table)) {
            assertThat(validator.judge(document(project).toString())).isEqualTo("OK");
        }
        assertThat(validator.judge("{\"openapi\": \"3.1.0\", \"info\": {}}")).isNotEqualTo("OK");
    }

    @Test
    void hasHandlersAtTheirPathsAndTheRestAsFormsOfTheExecutionsCall(PackagedPlane plane) {
        Project project = plane.newProject("api-forms");
        project.push(ODD);
        JsonNode document = document(project);

        assertThat(document.path("paths").properties().stream().map(Map.Entry::getKey))
                .containsExactlyInAnyOrder("/http/users/{id}", "/http/users/{id}/%7Bb%7Dc%20d", "/executions");
        JsonNode users = document.path("paths").path("/http/users/{id}");
        assertThat(users.at("/post/parameters/0/name").asText()).isEqualTo("id");
        assertThat(users.at("/post/requestBody/content/application~1json/example")
                        .toString())
                .isEqualTo("{\"item\":\"duck\",\"count\":1}");
        JsonNode body = document.at("/paths/~1executions/post/requestBody/content/application~1json");
        assertThat(body.at("/examples/tool.order/value").toString())
                .isEqualTo("{\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"order\","
                        + "\"event\":{\"item\":\"duck\",\"count\":1}}");
        assertThat(body.at("/schema/oneOf")).hasSize(8);
        JsonNode schemas = document.at("/components/schemas");
        assertThat(schemas.has("agent.a_b")).isTrue();
        assertThat(schemas.has("agent.a_b-2")).isTrue();
        assertThat(schemas.at("/tool.elsewhere.result").has("$ref")).isFalse();
        // What an example says can be sent.
        assertThat(project.execute(body.at("/examples/tool.order/value")).status())
                .isEqualTo(200);
    }

    @Test
    void isTheSameWhileTheSnapshotIs(PackagedPlane plane) {
        Project project = plane.newProject("api-tag");
        project.push(ODD);
        Answer first = project.client().get(project.path() + "/openapi.json");
        String tag = first.headers().firstValue("ETag").orElseThrow();

        assertThat(project.client()
                        .get(project.path() + "/openapi.json", "If-None-Match", "\"x\", W/" + tag)
                        .status())
                .isEqualTo(304);
        project.push(Map.of("entry_point.py", ODD.get("entry_point.py") + "\n# changed\n"));
        Answer changed = project.client().get(project.path() + "/openapi.json", "If-None-Match", tag);
        assertThat(changed.status()).isEqualTo(200);
        assertThat(changed.headers().firstValue("ETag"))
                .isNotEqualTo(first.headers().firstValue("ETag"));
        PlaneClient named = project.client();
        assertThat(named.get(project.path() + "/openapi.json?snapshot=sha256:" + "0".repeat(64))
                        .status())
                .isEqualTo(404);
    }
}
