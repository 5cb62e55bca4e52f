package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.EmbeddedStores;
import io.aiel.plane.fixtures.Events;
import io.aiel.plane.fixtures.HostProcess;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SecretSearch;
import io.aiel.plane.fixtures.SecretSearch.Finding;
import io.aiel.plane.fixtures.TraceCollector;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Connections of the packaged application, used by the published CLI and SDK as they are, and made by {@code ./plane connection}. The outside
 * system is a schema of the PostgreSQL that the plane brought along, which an operator allowed by name.
 */
class IntegrationsTest {
    private static final String PASSWORD = "canary/" + Long.toHexString(System.nanoTime()) + "+=&%";
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final List<String> ACTIONS = List.of("postgres.query", "postgres.insert");

    private static TraceCollector traces;
    private static PackagedPlane plane;
    private static PublishedClients clients;
    private static Project project;
    private static int port;
    private static String connection;
    private static SlowModel model;

    @TempDir
    Path scratch;

    @BeforeAll
    static void start() throws SQLException, IOException {
        model = new SlowModel();
        clients = PublishedClients.install();
        traces = new TraceCollector();
        List<String> settings = new ArrayList<>(List.of(traces.settings()));
        settings.add("plane.integration.private-hosts=127.0.0.1,localhost");
        plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings(settings.toArray(new String[0])));
        project = plane.newWorkspaceWithProject("integrations");
        try (Connection database = new EmbeddedStores(plane).database();
                Statement statement = database.createStatement()) {
            port = Integer.parseInt(database.getMetaData().getURL().replaceFirst(".*:(\\d+)/.*", "$1"));
            statement.execute("create role outside login password '" + PASSWORD + "'");
            statement.execute("create schema outside authorization outside");
            statement.execute(
                    "create table outside.orders (id serial primary key, item text unique, price numeric(8,2))");
            statement.execute("alter table outside.orders owner to outside");
        }
        connection = connect(project);
    }

    /** A connection of this project to the outside system, ready to be used. */
    private static String connect(Project project) {
        return project.connection("postgres", settings(), ACTIONS, Map.of("password", PASSWORD));
    }

    @AfterAll
    static void stop() {
        plane.close();
        traces.close();
        model.close();
    }

    private static Map<String, Object> settings() {
        return Map.of("host", "127.0.0.1", "port", port, "database", "plane", "user", "outside", "ssl", "disable");
    }

    @Test
    void isListedAndCheckedByThePublishedCli() throws IOException {
        Path work = Files.createDirectory(scratch.resolve("work"));
        PublishedClients.User user = clients.user(Files.createDirectory(scratch.resolve("home")));
        user.nameThePlane(plane.uri().toString());
        user.aiel(work, "auth", "login", "--token", plane.client().token()).orFail();
        user.aiel(work, "config", "set", "workspace", "integrations").orFail();
        user.aiel(work, "init").orFail();

        String list = user.aiel(work, "integrations", "list").orFail();
        String details = user.aiel(work, "integrations", "list", "--d").orFail();
        String one = user.aiel(work, "integrations", "list", "--provider", "postgres", "--d")
                .orFail();
        String check = user.aiel(work, "integrations", "check", "--provider", "postgres")
                .orFail();

        assertThat(list).contains("postgres");
        assertThat(details).contains("postgres.query");
        assertThat(one).contains("postgres.insert");
        assertThat(check).containsIgnoringCase("ok");
        assertThat(list + details + one + check).doesNotContain(PASSWORD);
    }

    @Test
    void isUsedByThePublishedSdk() {
        String output = clients.script(
                        """
                        import json, os
                        from aiel_sdk import AielClient
                        from aiel_sdk.integrations.postgres.remote import RemotePostgres
                        from aiel_sdk.integrations.postgres.types import PostgresInsertRequest, PostgresQueryRequest

                        client = AielClient(base_url=os.environ["PLANE"], api_key=os.environ["TOKEN"])
                        db = RemotePostgres(client, workspace_id=os.environ["WS"], project_id=os.environ["PROJ"], connection_id=os.environ["CONN"])
                        request = PostgresInsertRequest(table="outside.orders", values={"item": "chair", "price": 12.5}, returning=["id", "price"],
                            idempotency_key="order-1")
                        first, again = db.insert(request), db.insert(request)
                        found = db.query(PostgresQueryRequest(sql="select item, price from outside.orders where item = :item", params={"item": "chair"}))
                        try:
                            db.query(PostgresQueryRequest(sql="delete from outside.orders"))
                        except Exception as e:
                            refused = [e.status, e.code]
                        print(json.dumps({"first": first.raw, "again": again.raw, "rows": found.rows, "count": found.row_count, "refused": refused}))
                        """,
                        Map.of(
                                "PLANE", plane.uri().toString(),
                                "TOKEN", plane.client().token(),
                                "WS", project.workspace(),
                                "PROJ", project.id(),
                                "CONN", connection))
                .orFail();

        JsonNode seen = PlaneClient.read(output);
        assertThat(seen.path("first").path("inserted").asInt()).isEqualTo(1);
        assertThat(seen.path("again")).isEqualTo(seen.path("first"));
        assertThat(seen.path("rows").toString()).isEqualTo("[{\"item\":\"chair\",\"price\":12.5}]");
        assertThat(seen.path("refused").path(0).asInt()).isEqualTo(400);
        assertThat(seen.path("refused").path(1).asText()).isEqualTo("ACTION_REFUSED");
    }

    @Test
    void isUsedByCodeInASandboxThatDeclaresWhatItDoes() {
        project.client()
                .send("PUT", project.path() + "/settings", "{\"worker_api\": true}", "Content-Type", "application/json")
                .expect(200);
        project.push(Map.of("entry_point.py", """
                import os
                from aiel_sdk import AielClient, tool
                from aiel_sdk.integrations.postgres.remote import RemotePostgres
                from aiel_sdk.integrations.postgres.types import PostgresQueryRequest

                def ask(event):
                    db = RemotePostgres(AielClient(base_url=os.environ["AIEL_BASE_URL"]), connection_id=event["connection"],
                                        workspace_id=os.environ["AIEL_WORKSPACE_ID"], project_id=os.environ["AIEL_PROJECT_ID"])
                    try:
                        return {"rows": db.query(PostgresQueryRequest(sql="select 6 * 7 as answer")).rows}
                    except Exception as problem:
                        return {"refused": [problem.status, problem.code]}

                @tool("declares", allowed_actions=("postgres.query",))
                def declares(ctx, event):
                    return ask(event)

                @tool("keeps_silent")
                def keeps_silent(ctx, event):
                    return ask(event)
                """));

        JsonNode declared =
                project.tool("declares", Map.of("connection", connection)).expect(200);
        JsonNode silent =
                project.tool("keeps_silent", Map.of("connection", connection)).expect(200);

        assertThat(declared.at("/result/rows/0/answer").asInt())
                .as(declared.toString())
                .isEqualTo(42);
        assertThat(silent.at("/result/refused/0").asInt()).as(silent.toString()).isEqualTo(403);
        assertThat(silent.at("/result/refused/1").asText()).isEqualTo("ACTION_NOT_GRANTED");
        assertThat(project.auditOf(
                        declared.at("/meta/execution_id").asText(),
                        found -> found.stream().anyMatch(one -> one.toString().contains("execution.finished")),
                        Duration.ofSeconds(60)))
                .anyMatch(one -> one.toString().contains("integration.invoke"));
    }

    @Test
    void letsCodeAskSlackByThePublishedSdk() throws IOException {
        HttpServer slack = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 10);
        slack.createContext("/auth.test", exchange -> {
            byte[] answer = "{\"ok\": true, \"user\": \"agent\", \"team\": \"plane\"}".getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        slack.start();
        try {
            project.client()
                    .send(
                            "PUT",
                            project.path() + "/settings",
                            "{\"worker_api\": true}",
                            "Content-Type",
                            "application/json")
                    .expect(200);
            project.push(Map.of("entry_point.py", """
                    import os
                    from aiel_sdk import AielClient, tool
                    from aiel_sdk.integrations.slack.remote import RemoteSlack

                    @tool("greet", allowed_actions=("slack.auth_test",))
                    def greet(ctx, event):
                        slack = RemoteSlack(AielClient(base_url=os.environ["AIEL_BASE_URL"]), connection_id=event["connection"])
                        found = slack.auth_test()
                        return {"user": found.user, "team": found.team}
                    """));
            String id = project.connection(
                    "slack",
                    Map.of("base_url", "http://localhost:" + slack.getAddress().getPort()),
                    List.of("slack.auth_test"),
                    Map.of("bot_token", "xoxb-" + PASSWORD));

            JsonNode greeted = project.tool("greet", Map.of("connection", id)).expect(200);

            assertThat(greeted.path("result"))
                    .as(greeted.toString())
                    .isEqualTo(PlaneClient.read("{\"user\": \"agent\", \"team\": \"plane\"}"));
        } finally {
            slack.stop(0);
        }
    }

    @Test
    void describesWhatCanBeConnectedBySchemas() {
        JsonNode providers = project.client()
                .get(project.path() + "/integration-providers")
                .expect(200)
                .path("items");

        assertThat(providers.valueStream().map(one -> one.path("provider").asText()))
                .containsExactlyInAnyOrder(
                        "firebase", "http", "jira", "mongodb", "openai", "postgres", "redis", "slack");
        assertThat(providers).allSatisfy(one -> {
            assertThat(one.at("/settings/properties")).as(one.toString()).isNotEmpty();
            assertThat(one.at("/credentials/properties")).isNotEmpty();
            assertThat(one.path("actions").has(one.path("health_check").asText()))
                    .isTrue();
            assertThat(one.path("actions"))
                    .allSatisfy(action ->
                            assertThat(action.at("/params/type").asText()).isEqualTo("object"));
        });
        JsonNode postgres = providers
                .valueStream()
                .filter(one -> one.path("provider").asText().equals("postgres"))
                .findFirst()
                .orElseThrow();
        assertThat(postgres.at("/settings/required").toString()).contains("host", "database", "user");
        assertThat(postgres.at("/actions/postgres.query/params/required").toString())
                .contains("sql");
    }

    @Test
    void streamsWhatAModelAnswersToWhoStreamsTheExecution() {
        project.client()
                .send("PUT", project.path() + "/settings", "{\"worker_api\": true}", "Content-Type", "application/json")
                .expect(200);
        project.push(Map.of("entry_point.py", """
                import os
                from aiel_sdk import AielClient, tool
                from aiel_sdk.integrations.openai.remote import RemoteOpenAI
                from aiel_sdk.integrations.openai.types import OpenAIChatCompletionsCreateRequest

                @tool("think", allowed_actions=("openai.chat.completions.create",))
                def think(ctx, event):
                    model = RemoteOpenAI(AielClient(base_url=os.environ["AIEL_BASE_URL"]), connection_id=event["connection"],
                                         workspace_id=os.environ["AIEL_WORKSPACE_ID"], project_id=os.environ["AIEL_PROJECT_ID"])
                    answer = model.chat_completions_create(OpenAIChatCompletionsCreateRequest(
                        model="gpt-test", messages=[{"role": "user", "content": event["text"]}], extra={"stream": True})).raw
                    return {"said": answer["choices"][0]["message"]["content"], "usage": answer["usage"]}
                """));
        String openai = project.connection(
                "openai",
                Map.of("base_url", "http://localhost:" + model.port() + "/v1"),
                List.of("openai.chat.completions.create"),
                Map.of("api_key", PASSWORD));

        String id;
        try (Events events = project.stream("think", Map.of("connection", openai, "text", "say hello " + PASSWORD))) {
            Events.Event started = events.next().orElseThrow();
            id = started.json().path("execution_id").asText();
            Events.Event first = events.next().orElseThrow();
            assertThat(first.name()).isEqualTo("chunk");
            assertThat(first.json().at("/choices/0/delta/content").asText()).isEqualTo("hel");
            model.goOn();
            List<Events.Event> rest = events.rest();

            assertThat(rest.stream().map(Events.Event::name)).containsExactly("chunk", "chunk", "result");
            JsonNode envelope = rest.getLast().json();
            assertThat(envelope.at("/result/said").asText())
                    .as(envelope.toString())
                    .isEqualTo("hello");
            assertThat(envelope.at("/result/usage/total_tokens").asInt()).isEqualTo(29);
            assertThat(envelope.at("/meta/usage/input_tokens").asInt()).isEqualTo(19);
            assertThat(envelope.at("/meta/usage/output_tokens").asInt()).isEqualTo(10);
            assertThat(envelope.at("/meta/usage/total_tokens").asInt()).isEqualTo(29);
            assertThat(envelope.at("/meta/usage/calls").asInt()).isEqualTo(1);
            assertThat(envelope.at("/meta/usage/models/0").asText()).isEqualTo("gpt-test-1");
        }

        List<JsonNode> records = project.auditOf(
                id,
                found -> found.stream().anyMatch(one -> one.toString().contains("execution.finished")),
                Duration.ofSeconds(60));
        assertThat(records)
                .extracting(one -> one.at("/event/type").asText().replaceAll("io.aiel.plane.|.v1", ""))
                .as("newest first")
                .startsWith("execution.finished", "execution.answered", "execution.called");
        assertThat(records.getFirst().at("/event/data/model_usage/total_tokens").asInt())
                .isEqualTo(29);
        JsonNode answered = records.get(1).at("/event/data");
        assertThat(answered.path("action").asText()).isEqualTo("openai.chat.completions.create");
        assertThat(answered.path("status").asText()).isEqualTo("done");
        assertThat(answered.path("connection_id").asText()).isEqualTo(openai);
        assertThat(records.toString()).doesNotContain("say hello", PASSWORD);
        String metrics = plane.client().get("/q/metrics").text();
        assertThat(metrics)
                .contains("plane_model_tokens_total{action=\"openai.chat.completions.create\",type=\"input\"")
                .contains(
                        "plane_integration_calls_seconds_count{action=\"openai.chat.completions.create\",status=\"done\"");
        Waiting.until(LIMIT, () -> traces.mentions("chat gpt-test"), Boolean::booleanValue, "the span of the call");
        for (String known : List.of("plane.worker", "gen_ai.usage.input_tokens", "gpt-test-1", id)) {
            assertThat(traces.mentions(known)).as(known).isTrue();
        }
        assertThat(traces.mentions("say hello")).isFalse();
        assertThat(traces.mentions(PASSWORD)).isFalse();
    }

    /** A model that says half of its answer, and the other half when it is told to. On the loopback. */
    private static final class SlowModel implements AutoCloseable {
        private static final String PIECE =
                "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-test-1\",\"choices\":[";

        private final HttpServer server;
        private final CountDownLatch told = new CountDownLatch(1);

        SlowModel() throws IOException {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100);
            server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
            server.createContext("/v1/chat/completions", this::chat);
            server.start();
        }

        int port() {
            return server.getAddress().getPort();
        }

        void goOn() {
            told.countDown();
        }

        private void chat(HttpExchange exchange) throws IOException {
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream body = exchange.getResponseBody()) {
                say(body, PIECE + "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hel\"}}]}\n\n");
                if (!told.await(30, TimeUnit.SECONDS)) {
                    return;
                }
                say(body, PIECE + "{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n");
                say(
                        body,
                        PIECE + "],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29}}\n\n"
                                + "data: [DONE]\n\n");
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private static void say(OutputStream body, String text) throws IOException {
            body.write(text.getBytes(StandardCharsets.UTF_8));
            body.flush();
        }

        @Override
        public void close() {
            told.countDown();
            server.stop(0);
        }
    }

    @Test
    void isMadeAndDeletedByThePlaneCommand() throws IOException {
        Path settings = Files.writeString(scratch.resolve("settings.json"), PlaneClient.text(settings()));
        String id = connection(
                        PlaneClient.text(Map.of("password", PASSWORD)),
                        "create",
                        "--provider",
                        "postgres",
                        "--name",
                        "By hand",
                        "--settings",
                        settings.toString(),
                        "--allow",
                        "postgres.query",
                        "--grant",
                        "postgres.query",
                        "--credentials",
                        "-")
                .strip();

        assertThat(id).startsWith("conn_");
        assertThat(connection("", "check", id)).contains("works");
        assertThat(connection("", "list")).contains(id).contains("By hand");
        assertThat(connection("", "change", id, "--disable", "for now")).contains("Changed");
        assertThat(connection("", "list", id)).contains("for now").doesNotContain(PASSWORD);
        assertThat(connection("", "delete", id)).contains("Deleted");
        assertThat(connection("", "list")).doesNotContain(id);
    }

    private static String connection(String input, String verb, String... more) {
        List<String> words = new ArrayList<>(List.of(
                PackagedPlane.repository().resolve("plane").toString(),
                "connection",
                verb,
                "--data",
                plane.dataDirectory().toString(),
                "--workspace",
                project.workspace(),
                "--project",
                project.id()));
        words.addAll(List.of(more));
        return Command.of(words.toArray(new String[0]))
                .with("PLANE_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .withInput(input)
                .run()
                .orFail();
    }

    @Test
    void keepsTheKeyOfCredentialsForItsOwnerAlone() throws IOException {
        assertThat(PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(plane.dataDirectory().resolve("credentials-keys"))))
                .isEqualTo("rw-------");
    }

    /**
     * After code in a worker has used each kind of credential, with systems that repeat it, in results and in errors. That traces, records, Kafka, the
     * dump and the workers' memory were really looked at is shown by what else is found there.
     */
    @Test
    void leavesNoCredentialAnywhere() throws Exception {
        Project own = plane.newWorkspaceWithProject("credentials");
        try (CredentialsInUse used = CredentialsInUse.by(own, connect(own), PASSWORD)) {
            SecretSearch search = new SecretSearch(used.secrets());
            assertThat(search.in("sent", used.sent()).stream().map(Finding::secret))
                    .as("what was used")
                    .contains(used.secrets().keySet().stream()
                            .filter(name -> !name.contains("PostgreSQL")
                                    && !name.contains("MongoDB")
                                    && !name.contains("line of"))
                            .toArray(String[]::new));
            Waiting.until(LIMIT, () -> traces.mentions(used.connection()), Boolean::booleanValue, "its trace");
            EmbeddedStores stores = new EmbeddedStores(plane);
            List<JsonNode> export = Waiting.until(
                    LIMIT,
                    () -> new Audit(project.client()).records("limit=200&order=newest"),
                    all -> all.stream().anyMatch(one -> one.toString().contains(used.connection())),
                    "its records");
            List<byte[]> messages = stores.messages();
            Map<String, String> dump = stores.dump();

            List<Finding> found = new ArrayList<>(search.in("answers", used.answers()));
            traces.exported().forEach(one -> found.addAll(search.in("traces", one)));
            found.addAll(search.in("audit export", export.toString()));
            messages.forEach(one -> found.addAll(search.in("Kafka", one)));
            dump.forEach((table, rows) -> found.addAll(search.in("dump of " + table, rows)));
            found.addAll(search.in("output", plane.printed()));
            found.addAll(search.below(plane.dataDirectory()));

            assertThat(messages)
                    .as("the search itself works here")
                    .anyMatch(one -> new String(one, StandardCharsets.UTF_8).contains(used.connection()));
            assertThat(dump.toString()).contains(used.connection());
            assertThat(found).isEmpty();
            assertThat(inProcesses(search)).isEmpty();
        }
    }

    /** In memory and environment of launcher, zygotes and workers, and the environment and command line of all. */
    private static List<Finding> inProcesses(SecretSearch search) throws IOException {
        List<Finding> found = new ArrayList<>();
        SecretSearch forMarker =
                new SecretSearch(Map.of("marker", CredentialsInUse.MARKER.getBytes(StandardCharsets.UTF_8)));
        List<Finding> markers = new ArrayList<>();
        for (ProcessHandle one : plane.descendants()) {
            HostProcess process = new HostProcess(one.pid());
            String name = process.name() + " " + process.pid();
            found.addAll(search.in("command line of " + name, process.commandLine()));
            found.addAll(search.in("environment of " + name, process.environment()));
            if (process.name().startsWith("python") && HostProcess.mayReadMemory()) {
                byte[] memory = process.memoryBytes();
                found.addAll(search.in("memory of " + name, memory));
                markers.addAll(forMarker.in(name, memory));
            }
        }
        // Other users' memory can be read by root only.
        assertThat(markers.isEmpty())
                .as("no worker holds what it was answered")
                .isEqualTo(!HostProcess.mayReadMemory());
        return found;
    }
}
