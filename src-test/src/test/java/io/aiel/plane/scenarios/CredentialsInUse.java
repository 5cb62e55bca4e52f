package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.EchoingRedis;
import io.aiel.plane.fixtures.EchoingSystem;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A connection for each kind of credential that there is, and code in a worker that uses them all; the systems repeat what they are sent, in results
 * and in errors. Each credential has characters that the usual encodings change.
 */
final class CredentialsInUse implements AutoCloseable {
    /** What code is to see of the systems, to know that it is found where it is. */
    static final String MARKER = "marker-" + Long.toHexString(System.nanoTime()) + "-of-a-result";

    private static final String UNIQUE = Long.toHexString(System.nanoTime());
    private static final List<String> STATUSES = List.of("200", "400", "401", "503");
    private static final String CODE = """
            import json, os, urllib.error, urllib.request
            from aiel_sdk import tool

            ACTIONS = ("postgres.query", "slack.auth_test", "jira.myself", "openai.embeddings.create", "firebase.doc.get", "http.request", "redis.get", "mongodb.ping")
            kept = []

            @tool("use_all", allowed_actions=ACTIONS)
            def use_all(ctx, event):
                base = "{AIEL_BASE_URL}/v1/workspaces/{AIEL_WORKSPACE_ID}/projects/{AIEL_PROJECT_ID}".format_map(os.environ)
                seen = []
                kept.append(seen)
                for call in event["calls"]:
                    request = urllib.request.Request(
                        f"{base}/integrations/{call['connection']}/action/{call['action']}:invoke", method="POST",
                        headers={"Authorization": "Bearer " + os.environ["AIEL_TOKEN"], "Content-Type": "application/json"},
                        data=json.dumps({"params": call["params"]}).encode())
                    try:
                        with urllib.request.urlopen(request, timeout=20) as answer:
                            seen.append([call["action"], answer.status, answer.read().decode()])
                    except urllib.error.HTTPError as problem:
                        seen.append([call["action"], problem.code, problem.read().decode()])
                print(seen)
                return {"seen": seen}
            """;

    private final Project project;
    private final EchoingSystem system;
    private final EchoingRedis refusing = new EchoingRedis(false);
    private final EchoingRedis lettingIn = new EchoingRedis(true);
    private final Map<String, byte[]> secrets = new LinkedHashMap<>();
    private final List<Map<String, Object>> calls = new ArrayList<>();
    private final StringBuilder answers = new StringBuilder();

    private CredentialsInUse(Project project) throws IOException {
        this.project = project;
        this.system = new EchoingSystem(secret("the token of a service account"));
    }

    /**
     * Makes the connections, and has them used.
     *
     * @param postgres a connection to PostgreSQL, ready
     * @param password what opens it
     */
    static CredentialsInUse by(Project project, String postgres, String password)
            throws IOException, NoSuchAlgorithmException {
        CredentialsInUse used = new CredentialsInUse(project);
        used.secrets.put("PostgreSQL's password", bytes(password));
        used.call(postgres, "postgres.query", Map.of("sql", "select '" + MARKER + "' as answer"));
        used.call(postgres, "postgres.query", Map.of("sql", "select 1 / 0 as answer"));
        used.connectAll();
        used.use();
        return used;
    }

    private void connectAll() throws NoSuchAlgorithmException {
        String bot = secret("Slack's token");
        String api = secret("Jira's token");
        String key = secret("OpenAI's key");
        String access = secret("Firestore's token");
        String bearer = secret("a bearer token");
        String basic = secret("a password of HTTP");
        String header = secret("a header of HTTP");
        String pem = privateKey();
        for (String status : STATUSES) {
            String at = system.at(status);
            connect("slack", "slack.auth_test", Map.of("base_url", at), Map.of("bot_token", bot), Map.of());
            connect(
                    "jira",
                    "jira.myself",
                    Map.of("base_url", at, "email", "agent@example.com"),
                    Map.of("api_token", api),
                    Map.of());
            connect(
                    "openai",
                    "openai.embeddings.create",
                    Map.of("base_url", at),
                    Map.of("api_key", key),
                    Map.of("input", "x", "model", "m"));
            Map<String, ?> document = Map.of("collection", "c", "doc_id", "d");
            connect(
                    "firebase",
                    "firebase.doc.get",
                    Map.of("base_url", at, "project_id", "p"),
                    Map.of("access_token", access),
                    document);
            connect(
                    "firebase",
                    "firebase.doc.get",
                    Map.of(
                            "base_url",
                            at,
                            "project_id",
                            "p",
                            "client_email",
                            "agent@example.com",
                            "token_url",
                            system.at("token")),
                    Map.of("private_key", pem),
                    document);
            http(at, Map.of("auth", "bearer"), Map.of("token", bearer));
            http(at, Map.of("auth", "basic", "username", "agent"), Map.of("password", basic));
            http(at, Map.of("auth", "header", "header_name", "X-Api-Key"), Map.of("value", header));
        }
        connectStores();
    }

    /** What is not HTTP. MongoDB's password is sealed, opened and given to the driver, and not more: the server speaks no word of MongoDB. */
    private void connectStores() {
        Map<String, Object> mongo = new LinkedHashMap<>(store(lettingIn.port()));
        mongo.putAll(Map.of("database", "shop", "user", "agent"));
        connect("mongodb", "mongodb.ping", mongo, Map.of("password", secret("MongoDB's password")), Map.of());
        Map<String, String> redis = Map.of("password", secret("Redis' password"));
        for (EchoingRedis each : List.of(refusing, lettingIn)) {
            connect("redis", "redis.get", store(each.port()), redis, Map.of("key", "x"));
        }
    }

    private static Map<String, Object> store(int port) {
        return Map.of("host", "localhost", "port", port, "ssl", "disable");
    }

    private void http(String at, Map<String, Object> auth, Map<String, String> credentials) {
        Map<String, Object> settings = new LinkedHashMap<>(auth);
        settings.put("base_url", at);
        settings.put("paths", List.of("/**"));
        connect("http", "http.request", settings, credentials, Map.of("path", "/x"));
    }

    /** A line of it is looked for: as a whole it is broken into lines, and found in no other form. */
    private String privateKey() throws NoSuchAlgorithmException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        String text = Base64.getMimeEncoder(64, bytes("\n"))
                .encodeToString(generator.generateKeyPair().getPrivate().getEncoded());
        String[] lines = text.split("\n", -1);
        secrets.put("a line of a service account's key", bytes(lines[lines.length / 2]));
        return "-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n";
    }

    private String secret(String name) {
        // Each half is looked for, and says which it is.
        int number = 10 + secrets.size();
        String text = "cnry/" + number + UNIQUE + "+=" + new StringBuilder(UNIQUE).reverse() + "&%" + number;
        secrets.put(name, bytes(text));
        return text;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void connect(
            String provider,
            String action,
            Map<String, ?> settings,
            Map<String, String> credentials,
            Map<String, ?> params) {
        PlaneClient client = project.client();
        Answer made = client.post(
                project.path() + "/integrations",
                Map.of(
                        "provider",
                        provider,
                        "display_name",
                        "In use",
                        "settings",
                        settings,
                        "allowed_actions",
                        List.of(action),
                        "granted_actions",
                        List.of(action)));
        String id = made.expect(201).path("connection_id").asText();
        String path = project.path() + "/integrations/" + id;
        Answer wrong = client.send("PUT", path + "/credentials", PlaneClient.text(Map.of("unknown", credentials)));
        assertThat(wrong.status()).isEqualTo(400);
        Answer put = client.send("PUT", path + "/credentials", PlaneClient.text(credentials));
        put.expect(200);
        answers.append(made.text()).append(wrong.text()).append(put.text());
        answers.append(client.get(path).text());
        answers.append(client.post(path + "/health-check", Map.of()).text());
        call(id, action, params);
    }

    private void call(String connection, String action, Map<String, ?> params) {
        calls.add(Map.of("connection", connection, "action", action, "params", params));
    }

    private void use() {
        PlaneClient client = project.client();
        client.send("PUT", project.path() + "/settings", "{\"worker_api\": true}", "Content-Type", "application/json")
                .expect(200);
        project.push(Map.of("entry_point.py", CODE));
        Answer answer = project.tool("use_all", Map.of("calls", calls));
        JsonNode seen = answer.expect(200).at("/result/seen");
        assertThat(seen).as(answer.text()).hasSize(calls.size());
        answers.append(answer.text()).append(answer.headers().map());
        answers.append(client.get(project.path() + "/integrations").text());
        answers.append(client.get(project.path() + "/executions/" + answer.executionId() + "/logs")
                .text());
        assertThat(seen.toString()).contains(MARKER).contains("[redacted]");
    }

    /** Names and bytes. */
    Map<String, byte[]> secrets() {
        return Map.copyOf(secrets);
    }

    /** All that callers and the code were answered. */
    String answers() {
        return answers.toString();
    }

    /** All that the outside systems were sent. */
    String sent() {
        return system.received() + refusing.received() + lettingIn.received();
    }

    /** A connection that was used. */
    String connection() {
        return String.valueOf(calls.getLast().get("connection"));
    }

    @Override
    public void close() throws IOException {
        system.close();
        refusing.close();
        lettingIn.close();
    }
}
