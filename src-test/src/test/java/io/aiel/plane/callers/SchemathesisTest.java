package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.Schemathesis;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Thousands of requests made of our OpenAPI document, valid and not: no 5xx, no answer that the document does not have, no
 * operation that forgets its token. In a tenant of its own, with a project that can run something.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class SchemathesisTest {
    private static final int SEED = 20_261_123;
    private static final int REQUESTS_MIN = 5_000;

    /**
     * All of its checks but one: which data is valid is said by the document only as far as a schema can say it, so data that fits the
     * schema may still be refused.
     */
    private static final String ALL_BUT_ACCEPTANCE = "positive_data_acceptance";

    @TempDir
    Path scratch;

    @Test
    void findsNothingWithAToken(PackagedPlane plane) {
        Tenant tenant = Tenant.of(plane);
        Schemathesis.Report report = run(
                plane,
                tenant,
                Form.current().pick(95, 400),
                // It would end the token of the whole run; it has a test of its own below.
                List.of(
                        "--header",
                        "Authorization: Bearer " + tenant.token(),
                        "--exclude-operation-id",
                        "revokeOwnTokens"));
        keep("with-token", report);

        assertThat(report.clean()).as(report.text()).isTrue();
        assertThat(report.requests()).isGreaterThanOrEqualTo(REQUESTS_MIN);
    }

    @Test
    void findsNothingWithoutAToken(PackagedPlane plane) {
        Tenant tenant = Tenant.of(plane);
        Schemathesis.Report report = run(plane, tenant, Form.current().pick(18, 50), List.of());
        keep("without-token", report);

        assertThat(report.clean()).as(report.text()).isTrue();
        assertThat(report.requests()).isGreaterThanOrEqualTo(REQUESTS_MIN);
    }

    @Test
    void findsNothingInTheCallThatEndsItsOwnToken(PackagedPlane plane) {
        Tenant tenant = Tenant.of(plane);
        Schemathesis.Report report = run(
                plane,
                tenant,
                10,
                List.of(
                        "--header",
                        "Authorization: Bearer " + tenant.token(),
                        "--include-operation-id",
                        "revokeOwnTokens"));

        assertThat(report.clean()).as(report.text()).isTrue();
        assertThat(report.requests()).isGreaterThan(5);
    }

    private Schemathesis.Report run(PackagedPlane plane, Tenant tenant, int examples, List<String> more) {
        List<String> options = new ArrayList<>(List.of(
                "--phases",
                "examples,coverage,fuzzing",
                "--max-examples",
                Integer.toString(examples),
                "--seed",
                Integer.toString(SEED),
                "--exclude-checks",
                ALL_BUT_ACCEPTANCE,
                "--request-timeout",
                "60"));
        options.addAll(more);
        System.out.println("schemathesis, seed " + SEED + ", " + examples + " examples an operation");
        return Schemathesis.install()
                .run(
                        scratch,
                        plane,
                        plane.client().get("/q/openapi?format=json").text(),
                        tenant.configuration(),
                        Form.current().pick(Duration.ofMinutes(6), Duration.ofMinutes(40)),
                        options);
    }

    private static void keep(String name, Schemathesis.Report report) {
        Results.keep(
                "callers",
                "schemathesis-" + name,
                Map.of("requests", report.requests(), "seed", SEED, "clean", report.clean()));
    }

    /** What a request can be about. */
    private record Tenant(
            String token, Project project, String execution, String snapshot, String schedule, String connection) {
        static Tenant of(PackagedPlane plane) {
            String unique = Long.toHexString(System.nanoTime());
            String token = plane.client()
                    .post(
                            "/v1/tenants",
                            Map.of("slug", "fuzz-" + unique, "admin", Map.of("email", "fuzz@callers.invalid")))
                    .expect(201)
                    .path("admin")
                    .path("token")
                    .asText();
            PlaneClient client = plane.client().as(token);
            String workspace = client.post("/v1/workspaces", Map.of("slug", "w"))
                    .expect(201)
                    .path("id")
                    .asText();
            String id = client.post("/v1/workspaces/" + workspace + "/projects", Map.of("slug", "p"))
                    .expect(201)
                    .path("id")
                    .asText();
            Project project = new Project(client, workspace, id);
            project.push(Map.of("entry_point.py", """
                    from aiel_sdk import get_registry, http, mcp_server, tool
                    from aiel_sdk.exports import HttpHandlerExport

                    mcp_server("desk", tools=["echo"])


                    @tool("echo")
                    def echo(ctx, payload):
                        return {"members": len(payload)}


                    @http.post("/{any}")
                    @http.get("/{any}")
                    def handler(ctx, request):
                        return {"members": len(request)}


                    # All methods that the document has, as it cannot know which of them a project's code takes.
                    for method in ("PUT", "PATCH"):
                        get_registry().http_handlers.append(
                            HttpHandlerExport(method, "/{any}", handler, __name__, "handler", False))


                    def aiel_handler(event, context=None):
                        return {"members": len(event)}
                    """));
            String execution = project.tool("echo", Map.of()).executionId();
            String snapshot = client.get(project.path() + "/snapshots")
                    .expect(200)
                    .path("items")
                    .path(0)
                    .path("digest")
                    .asText();
            String schedule = client.post(
                            project.path() + "/schedules",
                            Map.of("name", "n", "cron", "0 0 1 1 *", "request", Map.of("action", "describe")))
                    .expect(201)
                    .path("id")
                    .asText();
            String connection = client.post(
                            project.path() + "/integrations",
                            Map.of(
                                    "provider",
                                    "postgres",
                                    "display_name",
                                    "n",
                                    "settings",
                                    Map.of("host", "db.callers.invalid", "database", "d", "user", "u")))
                    .expect(201)
                    .path("connection_id")
                    .asText();
            return new Tenant(token, project, execution, snapshot, schedule, connection);
        }

        /** Ids that exist, so that requests get past the lookup; unknown ones are what the matrix is about. */
        String configuration() {
            return """
                    [parameters]
                    "path.workspace" = "%s"
                    "path.project" = "%s"
                    "path.execution" = "%s"
                    "path.snapshot" = "%s"
                    "path.schedule" = "%s"
                    "path.environment" = "production"
                    "path.server" = "desk"
                    "path.thread_key" = "fuzz"
                    "path.connection" = "%s"
                    "path.action" = "postgres.query"

                    # How code ended is no failure of the server: a deadline of one millisecond passes.
                    [[operations]]
                    include-operation-id = "createExecution"
                    checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "504"]

                    # It takes a header, and is sent unknown ones to see that they are refused; HTTP has them ignored.
                    [[operations]]
                    include-operation-id = "listExecutionEvents"
                    checks.negative_data_rejection.enabled = false
                    """.formatted(project.workspace(), project.id(), execution, snapshot, schedule, connection);
        }
    }
}
