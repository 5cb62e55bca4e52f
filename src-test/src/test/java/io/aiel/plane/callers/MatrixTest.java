package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Each operation against each kind of caller that must not get it. The operations are those that the plane serves; how each is
 * called stands in {@link #ROWS}, and one without a row fails the build.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MatrixTest {
    private static final String NOBODY = "nobody";
    private static final Duration EXPIRY_LIMIT = Duration.ofSeconds(20);

    /** The rows, by operation. Bodies are such that a caller with all rights gets past their checks. */
    private static final Map<String, Row> ROWS = rows();

    /**
     * How an operation is called.
     *
     * @param lacking the strongest role that may not call it; {@link #NOBODY} for a principal without any role, when each role may
     * @param body JSON, or empty text
     */
    private record Row(String lacking, String scope, String body, boolean open) {}

    private static Row row(String lacking, String scope, String body) {
        return new Row(lacking, scope, body, false);
    }

    /** For what every holder of a token may ask about that token itself. */
    private static Row aboutTheTokenItself() {
        return new Row("", "", "", true);
    }

    /** No name of a host in it that exists. */
    private static final String DATABASE = "{\"host\":\"db.matrix.invalid\",\"database\":\"d\",\"user\":\"u\"}";

    private static Map<String, Row> rows() {
        Map<String, Row> rows = new TreeMap<>();
        rows.put("listAuditEvents", row("developer", "audit.read", ""));
        rows.put("getMe", aboutTheTokenItself());
        rows.put("revokeOwnTokens", aboutTheTokenItself());
        rows.put("listPrincipals", row("developer", "principal.read", ""));
        rows.put("getPrincipal", row("developer", "principal.read", ""));
        rows.put("createPrincipal", row("operator", "principal.create", "{\"kind\":\"service\",\"name\":\"n\"}"));
        rows.put("disablePrincipal", row("operator", "principal.create", ""));
        rows.put("grantRole", row("operator", "principal.create", "{\"role\":\"admin\"}"));
        rows.put("withdrawRole", row("operator", "principal.create", ""));
        rows.put("listProjects", row(NOBODY, "project.read", ""));
        rows.put("getProject", row(NOBODY, "project.read", ""));
        rows.put("listProjectsOfWorkspace", row(NOBODY, "project.read", ""));
        rows.put("createProject", row("developer", "project.create", "{\"slug\":\"matrix-denied\"}"));
        rows.put("listTenants", row(NOBODY, "tenant.read", ""));
        rows.put("getTenant", row(NOBODY, "tenant.read", ""));
        rows.put("createTenant", row("developer", "tenant.create", "{\"slug\":\"matrix-denied\"}"));
        rows.put("listTokens", row("developer", "token.read", ""));
        rows.put("getToken", row("developer", "token.read", ""));
        rows.put("createToken", row("developer", "token.create", "{\"name\":\"n\",\"scopes\":[\"files.read\"]}"));
        rows.put("revokeToken", row("developer", "token.revoke", ""));
        rows.put("listWorkspaces", row(NOBODY, "workspace.read", ""));
        rows.put("getWorkspace", row(NOBODY, "workspace.read", ""));
        rows.put("createWorkspace", row("developer", "workspace.create", "{\"slug\":\"matrix-denied\"}"));
        rows.put("listCapabilities", row(NOBODY, "capability.read", ""));
        rows.put("getCapability", row(NOBODY, "capability.read", ""));
        rows.put("listDeployments", row(NOBODY, "deployment.read", ""));
        rows.put(
                "deploy",
                row(
                        "invoker",
                        "deployment.create",
                        "{\"environment\":\"production\",\"snapshot\":\"sha256:" + "0".repeat(64) + "\"}"));
        rows.put("rollback", row("invoker", "deployment.create", "{}"));
        rows.put("listExecutions", row(NOBODY, "execution.read", ""));
        rows.put("getExecution", row(NOBODY, "execution.read", ""));
        rows.put("listExecutionEvents", row(NOBODY, "execution.read", ""));
        rows.put("listExecutionLogs", row(NOBODY, "execution.read", ""));
        rows.put("createExecution", row("operator", "execution.invoke", "{\"action\":\"describe\"}"));
        rows.put("createExecutions", row("operator", "execution.invoke", "{\"requests\":[{\"action\":\"describe\"}]}"));
        rows.put("replayExecution", row("operator", "execution.invoke", "{}"));
        rows.put("cancelExecution", row("auditor", "execution.cancel", ""));
        rows.put("cancelExecutions", row("auditor", "execution.cancel", "{}"));
        // Of several calls in one, the one that needs least; what a tool does is decided as an execution is.
        for (String operation : List.of("callProjectMcp", "callMcpServer")) {
            rows.put(
                    operation,
                    row(
                            NOBODY,
                            "capability.read",
                            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{}}"));
        }
        rows.put("endProjectMcpSession", row(NOBODY, "capability.read", ""));
        rows.put("endMcpServerSession", row(NOBODY, "capability.read", ""));
        rows.put("listFiles", row("invoker", "files.read", ""));
        rows.put(
                "signUpload",
                row(
                        "operator",
                        "files.write",
                        "{\"content_type\":\"text/plain\",\"size_bytes\":1,\"sha256\":\"" + "0".repeat(64) + "\"}"));
        rows.put("signDownload", row("invoker", "files.read", "{}"));
        rows.put("deleteFile", row("operator", "files.write", ""));
        rows.put("commitUpload", row("operator", "files.write", "{}"));
        rows.put("listSnapshots", row(NOBODY, "snapshot.read", ""));
        rows.put("sealSnapshot", row("operator", "snapshot.create", ""));
        rows.put("getSnapshot", row(NOBODY, "snapshot.read", ""));
        rows.put("compareSnapshots", row(NOBODY, "snapshot.read", ""));
        for (String operation : List.of("listIntegrations", "getIntegration", "listIntegrationProviders")) {
            rows.put(operation, row(NOBODY, "integration.read", ""));
        }
        rows.put(
                "createIntegration",
                row(
                        "developer",
                        "integration.write",
                        "{\"provider\":\"postgres\",\"display_name\":\"n\",\"settings\":" + DATABASE + "}"));
        rows.put("changeIntegration", row("developer", "integration.write", "{\"display_name\":\"m\"}"));
        rows.put("putIntegrationCredentials", row("developer", "integration.write", "{\"password\":\"p\"}"));
        rows.put("deleteIntegration", row("developer", "integration.write", ""));
        rows.put("checkIntegration", row("auditor", "integration.check", "{}"));
        rows.put(
                "invokeIntegrationAction",
                row("operator", "integration.invoke", "{\"params\":{\"sql\":\"select 1\"}}"));
        rows.put("httpGet", row("operator", "execution.invoke", ""));
        rows.put("httpPost", row("operator", "execution.invoke", "{}"));
        rows.put("httpPut", row("operator", "execution.invoke", "{}"));
        rows.put("httpPatch", row("operator", "execution.invoke", "{}"));
        rows.put("httpOptions", row("operator", "execution.invoke", ""));
        rows.put("getProjectApi", row(NOBODY, "capability.read", ""));
        rows.put("setProjectSettings", row("developer", "project.create", "{}"));
        for (String operation : List.of("createSchedule", "replaceSchedule")) {
            rows.put(
                    operation,
                    row(
                            "operator",
                            "execution.invoke",
                            "{\"name\":\"n\",\"cron\":\"0 0 1 1 *\",\"request\":{\"action\":\"describe\"}}"));
        }
        rows.put("triggerSchedule", row("operator", "execution.invoke", ""));
        rows.put("listSchedules", row(NOBODY, "execution.read", ""));
        rows.put("getSchedule", row(NOBODY, "execution.read", ""));
        for (String operation : List.of("deleteSchedule", "pauseSchedule", "resumeSchedule")) {
            rows.put(operation, row("auditor", "execution.cancel", ""));
        }
        for (String operation : List.of("getThreadMessages", "getThreadState", "getLatestCheckpoint", "listThreads")) {
            rows.put(operation, row("auditor", "memory.read", ""));
        }
        rows.put(
                "appendThreadMessages",
                row("operator", "memory.write", "{\"messages\":[{\"role\":\"human\",\"content\":\"m\"}]}"));
        rows.put("patchThreadState", row("operator", "memory.write", "{\"patch\":{}}"));
        rows.put("forgetThread", row("operator", "memory.write", ""));
        rows.put("putCheckpoint", row("operator", "memory.write", "{}"));
        rows.put("putRecall", row("operator", "memory.write", "{\"namespace\":[\"n\"],\"key\":\"k\"}"));
        rows.put("getRecall", row("auditor", "memory.read", "{\"namespace\":[\"n\"],\"key\":\"k\"}"));
        rows.put("searchRecall", row("auditor", "memory.read", "{\"namespace\":[\"n\"]}"));
        rows.put(
                "forgetRecall",
                row("operator", "memory.write", "{\"namespace\":[\"n\"],\"selector\":{\"keys\":[\"k\"]}}"));
        rows.put("createCallbackSecret", row("developer", "project.create", ""));
        rows.put("listCallbackSecrets", row(NOBODY, "project.read", ""));
        rows.put("deleteCallbackSecret", row("developer", "project.create", ""));
        return rows;
    }

    private PackagedPlane plane;
    private PlaneClient owner;
    private PlaneClient stranger;
    private List<Operations.Operation> operations;
    private Map<String, String> ours;
    private Map<String, String> theirs;

    @BeforeAll
    void populate(PackagedPlane shared) {
        plane = shared;
        owner = plane.client();
        operations = Operations.of(owner);
        String unique = Long.toHexString(System.nanoTime());
        ours = world(owner, unique + "a");
        stranger = newTenant(unique);
        theirs = world(stranger, unique + "b");
    }

    /** The administrator of a new tenant. */
    private PlaneClient newTenant(String unique) {
        return owner.as(owner.post(
                        "/v1/tenants",
                        Map.of("slug", "matrix-" + unique, "admin", Map.of("email", "admin@matrix.invalid")))
                .expect(201)
                .path("admin")
                .path("token")
                .asText());
    }

    /** One of everything that has an id, in the tenant of this client. */
    private static Map<String, String> world(PlaneClient client, String unique) {
        Map<String, String> ids = new HashMap<>();
        ids.put(
                "tenant",
                client.get("/v1/auth/me").expect(200).path("tenant_id").asText());
        String workspace = id(client.post("/v1/workspaces", Map.of("slug", "w" + unique)));
        ids.put("workspace", workspace);
        Project pushed = new Project(
                client,
                workspace,
                id(client.post("/v1/workspaces/" + workspace + "/projects", Map.of("slug", "p" + unique))));
        ids.put("project", pushed.id());
        String project = pushed.path();
        var principal = client.post(
                        "/v1/principals",
                        Map.of("kind", "service", "name", "n" + unique, "grants", List.of(Map.of("role", "admin"))))
                .expect(201);
        ids.put("principal", principal.path("id").asText());
        ids.put("grant", principal.path("grants").path(0).path("id").asText());
        ids.put("token", id(client.post("/v1/tokens", Map.of("name", "n", "scopes", List.of("files.read")))));
        pushed.push(Map.of("entry_point.py", """
                from aiel_sdk import get_registry, http, mcp_server, tool
                from aiel_sdk.exports import HttpHandlerExport


                @tool("echo", tags=("%s",))
                def echo(ctx, payload):
                    return payload


                @http.get("/entry_point.py")
                def look(ctx, request):
                    return {}


                # The SDK has decorators for two methods; its registry and the runtime take five.
                for method in ("POST", "PUT", "PATCH", "OPTIONS"):
                    get_registry().http_handlers.append(
                        HttpHandlerExport(method, "/entry_point.py", look, __name__, "look", False))


                mcp_server("desk", tools=["echo"])
                """.formatted(unique)));
        Answer ran = pushed.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "tool",
                "handler",
                "echo",
                "event",
                Map.of(),
                "meta",
                Map.of("keep_input", true)));
        ran.expect(200);
        ids.put("execution", ran.executionId());
        String snapshot = client.get(project + "/snapshots")
                .expect(200)
                .path("items")
                .path(0)
                .path("digest")
                .asText();
        ids.put("snapshot", snapshot);
        ids.put("other", snapshot);
        ids.put("kind", "tool");
        ids.put("name", "echo");
        ids.put("environment", "production");
        ids.put("path", "entry_point.py");
        ids.put("server", "desk");
        ids.put("thread_key", "matrix");
        var signed = client.post(
                        project + "/uploads:sign?path=x.txt",
                        Map.of("content_type", "text/plain", "size_bytes", 1, "sha256", "0".repeat(64)))
                .expect(200);
        String[] parts = signed.path("upload_id").asText().split("~", -1);
        ids.put("upload", parts[parts.length - 1]);
        ids.put("digest", "0".repeat(64));
        ids.put(
                "schedule",
                id(client.post(
                        project + "/schedules",
                        Map.of("name", "n", "cron", "0 0 1 1 *", "request", Map.of("action", "describe")))));
        ids.put("secret", id(client.post(project + "/callback-secrets", "")));
        ids.put(
                "connection",
                client.post(
                                project + "/integrations",
                                "{\"provider\":\"postgres\",\"display_name\":\"n\",\"settings\":" + DATABASE
                                        + ",\"allowed_actions\":[\"postgres.query\"],\"granted_actions\":[\"postgres.query\"]}")
                        .expect(201)
                        .path("connection_id")
                        .asText());
        ids.put("action", "postgres.query");
        return ids;
    }

    private static String id(Answer answer) {
        return answer.expect(201).path("id").asText();
    }

    /** Ids of the same form that nobody has. */
    private static Map<String, String> unknown(Map<String, String> like) {
        Map<String, String> unknown = new HashMap<>(like);
        for (Map.Entry<String, String> id : like.entrySet()) {
            if (id.getValue().matches("[a-z]+_[0-9a-f]{32}")) {
                String other = id.getValue().substring(0, id.getValue().length() - 6) + "ffffff";
                unknown.put(id.getKey(), other);
            } else if (id.getValue().startsWith("sha256:")) {
                unknown.put(id.getKey(), "sha256:" + "f".repeat(64));
            }
        }
        return unknown;
    }

    /** Meant to fail when an operation is added without a row. */
    @Test
    void hasARowForEachOperationAndNoOther() {
        Set<String> served = operations.stream()
                .filter(operation -> !operation.tokenless())
                .map(Operations.Operation::id)
                .collect(Collectors.toCollection(TreeSet::new));

        assertThat(ROWS.keySet())
                .as("add a row that says how the new operation is called, and who may not")
                .isEqualTo(served);
    }

    /** What is not in the document would be tested by nobody. */
    @Test
    void isBuiltFromADocumentThatHasEachResourceMethod() {
        JavaClasses gateway = new ClassFileImporter()
                .importPath(Path.of("..", "execution-gateway", "target", "classes")
                        .toAbsolutePath()
                        .normalize());
        Set<String> inCode = new TreeSet<>();
        Set<String> tokenlessInCode = new TreeSet<>();
        for (JavaClass resource : gateway) {
            if (!resource.isAnnotatedWith("jakarta.ws.rs.Path")) {
                continue;
            }
            String base =
                    path(resource.getAnnotationOfType("jakarta.ws.rs.Path").get("value"));
            for (JavaMethod method : resource.getMethods()) {
                method.getAnnotations().stream()
                        .filter(annotation -> annotation.getRawType().isAnnotatedWith("jakarta.ws.rs.HttpMethod"))
                        .forEach(annotation -> {
                            String called = annotation.getRawType().getSimpleName() + " " + template(base, method);
                            inCode.add(called);
                            if (method.isAnnotatedWith("io.aiel.plane.gateway.http.Tokenless")) {
                                tokenlessInCode.add(called);
                            }
                        });
            }
        }

        Set<String> inDocument = new TreeSet<>();
        Set<String> tokenlessInDocument = new TreeSet<>();
        for (Operations.Operation operation : operations) {
            inDocument.add(operation.toString());
            if (operation.tokenless()) {
                tokenlessInDocument.add(operation.toString());
            }
        }

        assertThat(inDocument).isEqualTo(inCode);
        assertThat(tokenlessInDocument).isEqualTo(tokenlessInCode);
    }

    private static String path(Optional<Object> value) {
        return value.map(Object::toString).orElse("");
    }

    private static String template(String base, JavaMethod method) {
        String own = method.isAnnotatedWith("jakarta.ws.rs.Path")
                ? path(method.getAnnotationOfType("jakarta.ws.rs.Path").get("value"))
                : "";
        return (base + "/" + own)
                .replaceAll("\\{\\s*(\\w+)\\s*:[^}]*\\}", "{$1}")
                .replaceAll("/{2,}", "/")
                .replaceAll("/$", "");
    }

    /** Expired within the promised second or two after its end, since tokens are remembered for that long at most. */
    @Test
    void deniesEveryOperationToWhoeverHasNoValidToken() {
        String expiring = owner.post(
                        "/v1/tokens", Map.of("name", "brief", "scopes", List.of("*"), "expires_in_seconds", 1))
                .expect(201)
                .path("token")
                .asText();
        var revoked = owner.post("/v1/tokens", Map.of("name", "revoked", "scopes", List.of("*")))
                .expect(201);
        assertThat(owner.as(revoked.path("token").asText()).get("/v1/auth/me").status())
                .isEqualTo(200);
        owner.delete("/v1/tokens/" + revoked.path("id").asText()).expect(200);
        Waiting.until(
                EXPIRY_LIMIT,
                () -> owner.as(expiring).get("/v1/auth/me").status(),
                status -> status == 401,
                "the end of a token of one second");
        Map<String, String> tokens = new LinkedHashMap<>();
        tokens.put("none", "");
        tokens.put("made up", "aielp_usr_000000000000000000000000000000000000");
        tokens.put("nonsense", "x");
        tokens.put("expired", expiring);
        tokens.put("revoked", revoked.path("token").asText());
        List<String> wrong = new ArrayList<>();
        Set<String> answers = new TreeSet<>();
        for (Operations.Operation operation : guarded()) {
            tokens.forEach((kind, token) -> {
                Answer answer =
                        call(owner.as(token), operation, ours, row(operation).body());
                // Of MCP it names the endpoint's metadata, which is what was asked for and not who asked.
                answers.add(comparable(answer)
                        .replaceAll("Bearer resource_metadata=\"[^\"]*\", scope=\"[^\"]*\"", "Bearer"));
                if (answer.status() != 401) {
                    wrong.add(operation + " with token " + kind + " → " + answer.status());
                }
            });
        }

        assertThat(wrong).isEmpty();
        assertThat(answers).as("what was wrong with a token must not be told").hasSize(1);
    }

    @Test
    void deniesEveryOperationToARoleThatLacksIt() {
        Map<String, PlaneClient> byRole = new HashMap<>();
        List<String> wrong = new ArrayList<>();
        for (Operations.Operation operation : guarded()) {
            Row row = row(operation);
            if (row.open()) {
                continue;
            }
            PlaneClient weak = byRole.computeIfAbsent(row.lacking(), this::withRole);
            Answer answer = call(weak, operation, ours, row.body());
            boolean denied = isDenied(answer) || (row.lacking().equals(NOBODY) && answer.status() == 404);
            if (!denied) {
                wrong.add(operation + " as " + row.lacking() + " → " + answer);
            }
        }

        assertThat(wrong).isEmpty();
    }

    @Test
    void deniesEveryOperationToATokenWithoutItsScope() {
        List<String> wrong = new ArrayList<>();
        Map<String, PlaneClient> without = new HashMap<>();
        for (Operations.Operation operation : guarded()) {
            Row row = row(operation);
            if (row.open()) {
                continue;
            }
            PlaneClient limited = without.computeIfAbsent(row.scope(), this::withAllScopesBut);
            Answer answer = call(limited, operation, ours, row.body());
            if (!isDenied(answer)) {
                wrong.add(operation + " without " + row.scope() + " → " + answer);
            }
        }

        assertThat(wrong).isEmpty();
    }

    /**
     * Whatever is another tenant's is answered like what nobody has: status, headers and body. Meant to fail with a 403 in the
     * place of the 404 for an id that exists.
     */
    @Test
    void answersForeignIdsLikeUnknownOnes() {
        List<String> wrong = new ArrayList<>();
        int compared = 0;
        for (Operations.Operation operation : guarded()) {
            Row row = row(operation);
            List<String> named = operation.parameters().stream()
                    .filter(name -> !Set.of("kind", "name", "environment", "path", "server", "thread_key")
                            .contains(name))
                    .toList();
            for (List<String> foreign : subsets(named)) {
                Map<String, String> withForeign = new HashMap<>(theirs);
                Map<String, String> withUnknown = new HashMap<>(theirs);
                foreign.forEach(name -> {
                    withForeign.put(name, ours.get(name));
                    withUnknown.put(name, unknown(ours).get(name));
                });
                Answer known = call(stranger, operation, withForeign, row.body());
                Answer nobodys = call(stranger, operation, withUnknown, row.body());
                compared++;
                if (known.status() < 400 || !comparable(known).equals(comparable(nobodys))) {
                    wrong.add(operation + " with foreign " + foreign + " → " + known + "\nunknown → " + nobodys);
                }
            }
        }
        Results.keep(
                "callers",
                "matrix",
                Map.of("operations", operations.size(), "rows", ROWS.size(), "foreign_compared", compared));

        assertThat(wrong).isEmpty();
        assertThat(compared).isGreaterThan(ROWS.size());
    }

    /** Ids of others in bodies and queries. */
    @Test
    void answersForeignIdsInBodiesAndQueriesLikeUnknownOnes() {
        Map<String, String> nobodys = unknown(ours);
        String project = "/v1/workspaces/" + theirs.get("workspace") + "/projects/" + theirs.get("project");
        List<String> wrong = new ArrayList<>();
        for (String[] call : new String[][] {
            {"POST", "/v1/tokens", "{\"name\":\"n\",\"scopes\":[\"files.read\"],\"principal_id\":\"{principal}\"}"},
            {"POST", "/v1/tokens", "{\"name\":\"n\",\"scopes\":[\"files.read\"],\"workspace\":\"{workspace}\"}"},
            {
                "POST",
                "/v1/tokens",
                "{\"name\":\"n\",\"scopes\":[\"files.read\"],\"workspace\":\"{workspace}\",\"project\":\"{project}\"}"
            },
            {
                "POST",
                "/v1/principals/" + theirs.get("principal") + "/grants",
                "{\"role\":\"admin\",\"workspace\":\"{workspace}\"}"
            },
            {
                "POST",
                "/v1/principals",
                "{\"kind\":\"service\",\"name\":\"n\",\"grants\":[{\"role\":\"admin\",\"workspace\":\"{workspace}\"}]}"
            },
            {"POST", project + "/deployments", "{\"environment\":\"production\",\"snapshot\":\"{snapshot}\"}"},
            {"POST", project + "/executions", "{\"action\":\"describe\",\"snapshot\":\"{snapshot}\"}"},
            {"GET", project + "/capabilities?snapshot={snapshot}", ""},
            {"GET", project + "/executions?principal={principal}", ""},
            {"GET", "/v1/tokens?principal={principal}", ""},
            {"GET", "/v1/audit/events?execution={execution}&type=execution.finished", ""},
            {"GET", "/v1/audit/events?principal={principal}&type=execution.finished", ""},
            {"GET", "/v1/audit/events?project={project}&type=execution.finished", ""},
        }) {
            Answer known = stranger.send(call[0], filled(call[1], ours), filled(call[2], ours));
            Answer other = stranger.send(call[0], filled(call[1], nobodys), filled(call[2], nobodys));
            // A text that the caller sent may come back; whose it is must not show.
            String knownText = without(comparable(known), ours);
            String otherText = without(comparable(other), nobodys);
            if (!knownText.equals(otherText)) {
                wrong.add(String.join(" ", call) + " → " + known + "\nunknown → " + other);
            }
        }

        assertThat(wrong).isEmpty();
    }

    /** A list is never longer for what others have. */
    @Test
    void showsNothingOfAnotherTenantInItsLists() {
        // Somebody new: what the other stranger asked about is in their own audit log.
        String unique = Long.toHexString(System.nanoTime());
        PlaneClient bystander = newTenant(unique);
        Map<String, String> own = world(bystander, unique);
        List<String> wrong = new ArrayList<>();
        for (Operations.Operation operation : guarded()) {
            if (!operation.method().equals("GET")) {
                continue;
            }
            Answer answer = call(bystander, operation, own, "");
            ours.forEach((name, id) -> {
                if (id.matches("[a-z]+_[0-9a-f]{32}") && answer.text().contains(id)) {
                    wrong.add(operation + " shows the " + name + " of another tenant");
                }
            });
        }

        assertThat(wrong).isEmpty();
    }

    @Test
    void answersNothingUnderAnUnsignedOrForeignUrl() {
        List<Operations.Operation> signed = operations.stream()
                .filter(operation -> operation.path().startsWith("/v1/signed/"))
                .toList();
        assertThat(signed).isNotEmpty();
        for (Operations.Operation operation : signed) {
            for (String query : List.of(
                    "",
                    "?path=x.txt&expires=99999999999&signature=",
                    "?path=x.txt&expires=99999999999&signature=" + "A".repeat(43),
                    "?path=x.txt&expires=1&signature=" + "0".repeat(64))) {
                Answer answer = owner.send(operation.method(), operation.with(ours) + query, "");

                assertThat(answer.status()).as(operation + query).isEqualTo(403);
                assertThat(answer.errorCode()).isEqualTo("SIGNED_URL_INVALID");
            }
        }
    }

    /** A batch is answered, and each of its requests refused. */
    private static boolean isDenied(Answer answer) {
        return answer.status() == 403
                || (answer.json().has("results")
                        && answer.json()
                                .path("results")
                                .valueStream()
                                .allMatch(one -> one.path("status").asInt() == 403));
    }

    private static Row row(Operations.Operation operation) {
        return Objects.requireNonNull(ROWS.get(operation.id()), operation.id());
    }

    private List<Operations.Operation> guarded() {
        return operations.stream()
                .filter(operation -> !operation.tokenless() && ROWS.containsKey(operation.id()))
                .toList();
    }

    private static Answer call(
            PlaneClient client, Operations.Operation operation, Map<String, String> values, String body) {
        String path = operation.with(values);
        if (operation.id().equals("signUpload") || operation.id().equals("signDownload")) {
            path += "?path=entry_point.py";
        }
        return client.send(operation.method(), path, body);
    }

    private PlaneClient withRole(String role) {
        if (!role.equals(NOBODY)) {
            return owner.as(plane.token("matrix " + role, List.of(role), List.of("*", "platform.*")));
        }
        String principal = owner.post("/v1/principals", Map.of("kind", "service", "name", "matrix nobody"))
                .expect(201)
                .path("id")
                .asText();
        return owner.as(owner.post("/v1/tokens", Map.of("name", "n", "scopes", List.of("*"), "principal_id", principal))
                .expect(201)
                .path("token")
                .asText());
    }

    /** Every scope that any row names, without this one and without the areas that would bring it back. */
    private PlaneClient withAllScopesBut(String scope) {
        List<String> scopes = ROWS.values().stream()
                .map(Row::scope)
                .filter(one -> !one.isEmpty() && !one.equals(scope))
                .distinct()
                .toList();
        return owner.as(plane.token("matrix without " + scope, List.of("admin", "developer", "auditor"), scopes));
    }

    /** All ways in which at least one of the names is foreign. */
    private static List<List<String>> subsets(List<String> names) {
        List<List<String>> subsets = new ArrayList<>();
        for (int bits = 1; bits < (1 << names.size()); bits++) {
            List<String> subset = new ArrayList<>();
            for (int i = 0; i < names.size(); i++) {
                if ((bits & (1 << i)) != 0) {
                    subset.add(names.get(i));
                }
            }
            // A workspace of one tenant with a project of another is a case of its own, and all are tried.
            subsets.add(subset);
        }
        return subsets;
    }

    /** Status, all headers but the request's own id, and the body. */
    private static String comparable(Answer answer) {
        Map<String, List<String>> headers = new TreeMap<>(answer.headers().map());
        headers.remove("x-request-id");
        return answer.status() + " " + headers + "\n"
                + answer.text().replaceAll("\"(request_id|trace_id)\":\"[^\"]*\"", "\"$1\":\"\"");
    }

    private static String filled(String text, Map<String, String> ids) {
        String filled = text;
        for (Map.Entry<String, String> id : ids.entrySet()) {
            filled = filled.replace("{" + id.getKey() + "}", id.getValue());
        }
        return filled;
    }

    private static String without(String text, Map<String, String> ids) {
        String cleaned = text;
        for (String id : ids.values()) {
            if (id.length() > 30) {
                cleaned = cleaned.replace(id, "…");
            }
        }
        return cleaned;
    }
}
