package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.GrpcClient;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Each method of gRPC against each kind of caller that must not get it. The methods are those that reflection tells, so a new one is
 * tried without anybody thinking of it; who may not call it stands in {@link #ROWS}, and one without a row fails the build.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GrpcCallersTest {
    /** Health and reflection tell nothing of what is in the plane, and may be asked by anybody: these and no others. */
    private static final Set<String> OPEN = Set.of(
            "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection");

    private static final String NOBODY = "nobody";

    /** Roles, the weaker first: whoever stands before another may call none of the methods that the other may not. */
    private static final List<String> ROLES = List.of(NOBODY, "auditor", "operator");

    /** The rows, by method; one without a row fails the build. */
    private static final Map<String, Row> ROWS = Map.of(
            "CapabilityService/List", new Row(NOBODY, "capability.read"),
            "CapabilityService/Get", new Row(NOBODY, "capability.read"),
            "ExecutionService/Invoke", new Row("operator", "execution.invoke"),
            "ExecutionService/InvokeStream", new Row("operator", "execution.invoke"),
            "ExecutionService/Submit", new Row("operator", "execution.invoke"),
            "ExecutionService/Describe", new Row("operator", "execution.invoke"),
            "ExecutionService/Get", new Row(NOBODY, "execution.read"),
            "ExecutionService/List", new Row(NOBODY, "execution.read"),
            "ExecutionService/Cancel", new Row("auditor", "execution.cancel"));

    /**
     * Who may not call a method.
     *
     * @param lacking the strongest of {@link #ROLES} that may not; {@link #NOBODY} for a principal without any role, when each role may
     */
    private record Row(String lacking, String scope) {}

    private PackagedPlane plane;
    private GrpcClient client;
    private PlaneClient owner;
    private Project project;
    private String execution;

    @BeforeAll
    void push(PackagedPlane shared) {
        plane = shared;
        client = GrpcClient.install();
        owner = plane.client();
        project = plane.newProject("grpc-callers-" + Long.toHexString(System.nanoTime()));
        project.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("echo")
                def echo(ctx, payload):
                    return payload
                """));
        execution = project.execute(Map.of("action", "invoke", "kind", "tool", "handler", "echo", "event", Map.of()))
                .executionId();
    }

    private Map<String, Object> request(Project about, String executionId) {
        return Map.of(
                "workspace",
                about.workspace(),
                "project",
                about.id(),
                "kind",
                "KIND_TOOL",
                "name",
                "echo",
                "execution_id",
                executionId);
    }

    /** By method, what this caller is answered. */
    private JsonNode all(String token, Project about, String executionId) {
        Map<String, Object> request = request(about, executionId);
        Map<String, Object> step = new LinkedHashMap<>();
        step.put("do", "methods");
        step.put("request", request);
        step.put(
                "requests",
                Map.of(
                        "Submit",
                        Map.of(
                                "request",
                                Map.of(
                                        "workspace",
                                        about.workspace(),
                                        "project",
                                        about.id(),
                                        "kind",
                                        "KIND_TOOL",
                                        "name",
                                        "echo"))));
        return client.run(plane, token, List.of(step)).path(0);
    }

    @Test
    void servesNothingToWhoeverHasNoTokenButHealthAndReflection() {
        JsonNode seen = client.run(plane, "", List.of(Map.of("do", "reflection"), Map.of("do", "health")));

        Set<String> guarded = new TreeSet<>();
        seen.at("/0/services").forEach(service -> guarded.add(service.asText()));
        guarded.removeAll(OPEN);
        assertThat(guarded)
                .as("every other service is of methods that are tried below")
                .containsExactly("aiel.plane.v1.CapabilityService", "aiel.plane.v1.ExecutionService");
        assertThat(seen.at("/1/status").asText()).isEqualTo("SERVING");
    }

    /** Meant to fail when a method is added without a row. */
    @Test
    void hasARowForEachMethodAndNoOther() {
        JsonNode seen = client.run(plane, "", List.of(Map.of("do", "reflection")));

        Set<String> served = new TreeSet<>();
        seen.at("/0/methods")
                .properties()
                .forEach(service -> service.getValue()
                        .forEach(method -> served.add(service.getKey()
                                        .substring(service.getKey().lastIndexOf('.') + 1) + "/" + method.asText())));
        assertThat(ROWS.keySet())
                .as("add a row that says who may not call the new method")
                .isEqualTo(served);
    }

    /** What was wrong with a token is not told: the answers are the same to the letter. */
    @Test
    void deniesEveryMethodToWhoeverHasNoValidToken() {
        String expiring = owner.post(
                        "/v1/tokens", Map.of("name", "brief", "scopes", List.of("*"), "expires_in_seconds", 1))
                .expect(201)
                .path("token")
                .asText();
        var revoked = owner.post("/v1/tokens", Map.of("name", "revoked", "scopes", List.of("*")))
                .expect(201);
        assertThat(codes(all(revoked.path("token").asText(), project, execution)))
                .doesNotContain("UNAUTHENTICATED");
        owner.delete("/v1/tokens/" + revoked.path("id").asText()).expect(200);
        Waiting.until(
                Duration.ofSeconds(20),
                () -> owner.as(expiring).get("/v1/auth/me").status(),
                status -> status == 401,
                "the end of a token of one second");
        Set<String> answers = new TreeSet<>();
        for (String token : List.of(
                "",
                "x",
                "aielp_usr_000000000000000000000000000000000000",
                expiring,
                revoked.path("token").asText())) {
            JsonNode seen = all(token, project, execution);
            assertThat(seen.size()).isEqualTo(ROWS.size());
            seen.forEach(answer -> answers.add(comparable(answer)));
        }

        assertThat(answers).hasSize(1);
        assertThat(answers.iterator().next()).contains("UNAUTHENTICATED");
    }

    /**
     * Meant to fail for a method that asks the policy about the wrong action, or not at all. Who has no role may not even know of the project.
     */
    @Test
    void deniesEveryMethodToARoleThatLacksIt() {
        List<String> wrong = new ArrayList<>();
        for (String role : ROLES) {
            all(withRole(role), project, execution).properties().forEach(answer -> {
                boolean denied = isDenied(answer.getValue())
                        || (role.equals(NOBODY)
                                && answer.getValue().path("code").asText().equals("NOT_FOUND"));
                boolean expected = ROLES.indexOf(role)
                        <= ROLES.indexOf(row(answer.getKey()).lacking());
                if (denied != expected) {
                    wrong.add(answer.getKey() + " as " + role + " → " + answer.getValue());
                }
            });
        }

        assertThat(wrong).isEmpty();
    }

    private String withRole(String role) {
        if (!role.equals(NOBODY)) {
            return plane.token("grpc " + role, List.of(role), List.of("*"));
        }
        String principal = owner.post("/v1/principals", Map.of("kind", "service", "name", "grpc nobody"))
                .expect(201)
                .path("id")
                .asText();
        return owner.post("/v1/tokens", Map.of("name", "n", "scopes", List.of("*"), "principal_id", principal))
                .expect(201)
                .path("token")
                .asText();
    }

    /** Seen failing without the question to the policy in {@code ProjectDoor}: both lists were answered. */
    @Test
    void deniesEveryMethodToATokenWithoutItsScope() {
        List<String> wrong = new ArrayList<>();
        Set<String> scopes = ROWS.values().stream().map(Row::scope).collect(Collectors.toCollection(TreeSet::new));
        for (String scope : scopes) {
            List<String> others = new ArrayList<>(scopes);
            others.remove(scope);
            String token = plane.token("without " + scope, List.of("admin", "developer"), others);
            all(token, project, execution).properties().forEach(answer -> {
                if (isDenied(answer.getValue()) != row(answer.getKey()).scope().equals(scope)) {
                    wrong.add(answer.getKey() + " without " + scope + " → " + answer.getValue());
                }
            });
        }

        assertThat(wrong).isEmpty();
    }

    @Test
    void answersAForeignProjectLikeOneThatNobodyHas() {
        String unique = Long.toHexString(System.nanoTime());
        PlaneClient stranger = owner.as(owner.post(
                        "/v1/tenants", Map.of("slug", "grpc-" + unique, "admin", Map.of("email", "admin@grpc.invalid")))
                .expect(201)
                .path("admin")
                .path("token")
                .asText());
        Project nobodys = new Project(
                owner,
                project.workspace().substring(0, project.workspace().length() - 6) + "ffffff",
                project.id().substring(0, project.id().length() - 6) + "ffffff");

        JsonNode foreign = all(stranger.token(), project, execution);
        JsonNode unknown = all(stranger.token(), nobodys, execution);

        foreign.properties()
                .forEach(answer -> assertThat(comparable(answer.getValue()))
                        .as(answer.getKey())
                        .contains("NOT_FOUND")
                        .isEqualTo(comparable(unknown.path(answer.getKey()))));
    }

    @Test
    void answersAForeignExecutionLikeOneThatNobodyHas() {
        Project other = plane.newProject("grpc-other-" + Long.toHexString(System.nanoTime()));

        JsonNode foreign = all(owner.token(), other, execution);
        JsonNode unknown = all(owner.token(), other, execution.substring(0, execution.length() - 6) + "ffffff");

        for (String method : List.of("ExecutionService/Get", "ExecutionService/Cancel")) {
            assertThat(comparable(foreign.path(method)))
                    .contains("NOT_FOUND")
                    .isEqualTo(comparable(unknown.path(method)));
        }
    }

    private static Row row(String method) {
        return Objects.requireNonNull(ROWS.get(method), method);
    }

    private static boolean isDenied(JsonNode answer) {
        return answer.path("code").asText().equals("PERMISSION_DENIED");
    }

    private static List<String> codes(JsonNode answers) {
        return answers.valueStream().map(answer -> answer.path("code").asText()).toList();
    }

    /** Everything of an answer but what differs from request to request, and the list of a stream's events, of which there are none. */
    private static String comparable(JsonNode answer) {
        return answer.path("code") + " " + answer.path("message") + " " + answer.path("details") + " "
                + answer.path("trailers").toString().replaceAll("\"x-request-id\":\"[^\"]*\"", "");
    }
}
