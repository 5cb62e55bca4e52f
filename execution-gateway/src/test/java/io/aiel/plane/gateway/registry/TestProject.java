package io.aiel.plane.gateway.registry;

import static io.restassured.RestAssured.given;

import io.aiel.plane.gateway.identity.TokenKind;
import io.aiel.plane.gateway.identity.TokenSecret;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.restassured.config.EncoderConfig;
import io.restassured.config.RestAssuredConfig;
import io.restassured.http.ContentType;
import io.restassured.response.Response;
import io.restassured.specification.RequestSpecification;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import javax.sql.DataSource;

/** A tenant with one workspace, one project and a developer's token, all of its own; and the calls that the CLI makes. */
public record TestProject(ProjectScope scope, String token) {
    /** Waits for the policy, too. */
    public static TestProject create(DataSource database, PolicyEngine policy) throws SQLException {
        awaitReady(policy);
        TenantId tenant = TenantId.create();
        WorkspaceId workspace = WorkspaceId.create();
        ProjectId project = ProjectId.create();
        PrincipalId principal = PrincipalId.create();
        TokenSecret secret = TokenSecret.mint(TokenKind.USER);
        String slug = "t" + tenant.value().substring(tenant.value().length() - 20);
        try (Connection connection = database.getConnection()) {
            run(connection, "INSERT INTO tenants VALUES (?, ?, 'Test', now())", tenant.value(), slug);
            run(
                    connection,
                    "INSERT INTO workspaces VALUES (?, ?, 'demo', 'Demo', now())",
                    workspace.value(),
                    tenant.value());
            run(
                    connection,
                    "INSERT INTO projects VALUES (?, ?, ?, 'hello', 'Hello', '{}', now())",
                    project.value(),
                    tenant.value(),
                    workspace.value());
            run(
                    connection,
                    "INSERT INTO principals VALUES (?, ?, 'user', 'Dev', 'dev@example.test', now(), NULL)",
                    principal.value(),
                    tenant.value());
            run(
                    connection,
                    "INSERT INTO role_grants VALUES (?, ?, ?, 'admin', NULL, NULL, now())",
                    Ids.create("rg"),
                    tenant.value(),
                    principal.value());
            run(
                    connection,
                    "INSERT INTO tokens (id, tenant_id, principal_id, name, kind, hash, scopes, roles, created_at,"
                            + " expires_at) VALUES (?, ?, ?, 'test', 'usr', ?, '*', 'admin', now(), now() + interval '1 hour')",
                    TokenId.create().value(),
                    tenant.value(),
                    principal.value(),
                    secret.hash().value());
        }
        return new TestProject(new ProjectScope(tenant, workspace, project), secret.reveal());
    }

    private static void awaitReady(PolicyEngine policy) {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!policy.ready()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("the policy engine did not become ready");
            }
            LockSupport.parkNanos(10_000_000);
        }
    }

    private static void run(Connection connection, String sql, String... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setString(i + 1, values[i]);
            }
            statement.executeUpdate();
        }
    }

    String base() {
        return "/v1/workspaces/" + scope.workspace().value() + "/projects/"
                + scope.project().value();
    }

    RequestSpecification as() {
        // The colon of an action must arrive as it is, as the CLI sends it.
        return given().urlEncodingEnabled(false).header("X-API-Token", token).header("X-Client", "aiel-cli");
    }

    Response manifest() {
        return as().get(base() + "/files");
    }

    Response sign(String path, long expectedVersion, byte[] bytes) {
        Map<String, Object> body = new HashMap<>();
        body.put("content_type", "text/x-python");
        body.put("expected_version", expectedVersion);
        body.put("size_bytes", bytes.length);
        body.put("sha256", Digest.of(bytes).hex());
        return as().contentType("application/json").body(body).post(base() + "/uploads:sign?path=" + encode(path));
    }

    static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    static Response put(String url, byte[] bytes) {
        // Without this REST Assured adds a charset, and the type must be exactly the signed one.
        EncoderConfig exact = EncoderConfig.encoderConfig()
                .appendDefaultContentCharsetToContentTypeIfUndefined(false)
                .encodeContentTypeAs("text/x-python", ContentType.BINARY);
        return given().config(RestAssuredConfig.config().encoderConfig(exact))
                .urlEncodingEnabled(false)
                .header("Content-Type", "text/x-python")
                .body(bytes)
                .put(url);
    }

    Response commit(String uploadId) {
        return as().contentType("application/json").body("{}").post("/v1/uploads/" + uploadId + ":commit");
    }

    /** Signs and sends; the upload is ready to commit. */
    String upload(String path, long expectedVersion, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Response signed = sign(path, expectedVersion, bytes);
        signed.then().statusCode(200);
        put(signed.path("signed_url"), bytes).then().statusCode(200);
        return signed.path("upload_id");
    }

    /** All three steps. */
    Response push(String path, long expectedVersion, String text) {
        return commit(upload(path, expectedVersion, text));
    }
}
