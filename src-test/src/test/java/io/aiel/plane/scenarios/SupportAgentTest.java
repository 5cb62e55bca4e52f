package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.EmbeddedStores;
import io.aiel.plane.fixtures.LanguageModel;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code samples/support-agent}, made to work by what its README says, with the published command, and run in the sandbox: a LangGraph graph
 * with the SDK's adapters, a database of its own under a role of its own, and a model that answers by rules.
 */
@ExtendWith(SharedPlane.class)
class SupportAgentTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Path SAMPLE = PackagedPlane.repository().resolve("samples/support-agent");
    private static final String PASSWORD = "canary-" + Long.toHexString(System.nanoTime());
    private static final String KEY = "sk-canary-" + Long.toHexString(System.nanoTime());
    private static final String MODEL = "openai.chat.completions.create";
    private static final String REFUND = "I want my money back for order ";

    private static EmbeddedStores stores;
    private static LanguageModel model;
    private static Project project;

    @BeforeAll
    static void followTheReadme(PackagedPlane plane, PublishedClients clients, @TempDir Path scratch)
            throws IOException, SQLException {
        stores = new EmbeddedStores(plane);
        model = LanguageModel.start(KEY);
        project = plane.newWorkspaceWithProject("support");
        int port = makeTheShop();
        Map<String, Object> files = Map.of(
                "shop.json",
                Map.of(
                        "host",
                        "localhost",
                        "port",
                        port,
                        "database",
                        "shop",
                        "user",
                        "support_agent",
                        "ssl",
                        "disable",
                        "tables",
                        List.of("shop.refunds")),
                "shop-password.json",
                Map.of("password", PASSWORD),
                "model.json",
                Map.of("base_url", model.baseUrl()),
                "model-key.json",
                Map.of("api_key", KEY));
        for (Map.Entry<String, Object> file : files.entrySet()) {
            Files.writeString(scratch.resolve(file.getKey()), PlaneClient.text(file.getValue()));
        }
        PublishedClients.User reader = clients.user(Files.createDirectory(scratch.resolve("home")));
        reader.nameThePlane(plane.uri().toString());
        reader.aiel(scratch, "auth", "login", "--token", plane.client().token()).orFail();
        Command command = Command.of("bash", "-eu", "-o", "pipefail", "-c", readme())
                .in(PackagedPlane.repository())
                .inACleanEnvironment()
                .within(Duration.ofMinutes(6));
        Map<String, String> variables = new HashMap<>(reader.shell());
        variables.putAll(Map.of(
                "PLANE_URL", plane.uri().toString(),
                "PLANE_TOKEN", plane.client().token(),
                "DATA", plane.dataDirectory().toString(),
                "CONNECTIONS", scratch.toString(),
                "WORKSPACE", "support",
                "PROJECT", project.id(),
                "PLANE_BUILD", "never",
                "TMPDIR", scratch.toString(),
                "JAVA_HOME", System.getProperty("java.home")));
        // A bundle is installed for one interpreter, which has to be the server's.
        Optional.ofNullable(System.getenv("PLANE_PYTHON")).ifPresent(python -> variables.put("PLANE_PYTHON", python));
        for (Map.Entry<String, String> variable : variables.entrySet()) {
            command = command.with(variable.getKey(), variable.getValue());
        }
        assertThat(command.run().orFail()).contains("We have refunded 49.9 for order 1001.");
    }

    @AfterAll
    static void end() throws SQLException {
        model.close();
        try (Connection database = stores.database();
                Statement statement = database.createStatement()) {
            statement.execute("drop database shop with (force)");
            statement.execute("drop role support_agent");
        }
    }

    /** What a page's executed samples are, of the sample's own page. */
    private static String readme() throws IOException {
        Matcher fence =
                Pattern.compile("(?ms)^```sh run\\n(.*?)^```$").matcher(Files.readString(SAMPLE.resolve("README.md")));
        StringBuilder script = new StringBuilder();
        while (fence.find()) {
            script.append(fence.group(1));
        }
        return script.toString();
    }

    private static int makeTheShop() throws SQLException, IOException {
        try (Connection database = stores.database();
                Statement statement = database.createStatement()) {
            statement.execute("create database shop");
        }
        try (Connection shop = shop();
                Statement statement = shop.createStatement()) {
            statement.execute(Files.readString(SAMPLE.resolve("database.sql")));
            statement.execute("alter role support_agent password '" + PASSWORD + "'");
            return Integer.parseInt(shop.getMetaData().getURL().replaceFirst(".*:(\\d+)/.*", "$1"));
        }
    }

    /** As the superuser. */
    private static Connection shop() throws SQLException {
        String url;
        try (Connection database = stores.database()) {
            url = database.getMetaData().getURL();
        }
        Properties login = new Properties();
        login.setProperty("user", "postgres");
        login.setProperty("password", stores.passwords().getOrDefault("postgres", ""));
        return DriverManager.getConnection(url.replaceFirst("/plane(\\?.*)?$", "/shop"), login);
    }

    /** The refunds of an order, as text. */
    private static List<String> refunds(int order) throws SQLException {
        List<String> found = new ArrayList<>();
        try (Connection shop = shop();
                Statement statement = shop.createStatement();
                ResultSet rows = statement.executeQuery(
                        "select customer_id || ' gets ' || amount from shop.refunds where order_id = " + order)) {
            while (rows.next()) {
                found.add(rows.getString(1));
            }
        }
        return found;
    }

    private static Answer write(String agent, int customer, String conversation, String message) {
        return project.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "agent",
                "handler",
                agent,
                "event",
                Map.of("customer_id", customer, "conversation", conversation, "message", message),
                "meta",
                Map.of("timeout_ms", 60_000)));
    }

    private static JsonNode result(Answer answer) {
        JsonNode envelope = answer.expect(200);
        assertThat(envelope.path("ok").asBoolean()).as(envelope.toString()).isTrue();
        return envelope.path("result");
    }

    /** The records of what the execution asked the plane for, in order. */
    private static List<JsonNode> calls(Answer answer) {
        return project
                .auditOf(
                        answer.executionId(),
                        found -> found.stream().anyMatch(one -> type(one).endsWith("execution.finished.v1")),
                        LIMIT)
                .reversed()
                .stream()
                .filter(one -> type(one).endsWith("execution.called.v1"))
                .map(one -> one.at("/event/data"))
                .toList();
    }

    /** The action with what the policy was asked about; of a connection, whose id is another each time, only what it was to do. */
    private static String asked(JsonNode call) {
        String action = call.path("action").asText();
        String resource = call.path("resource").asText();
        return switch (action) {
            case "integration.read" -> action;
            case "integration.invoke" -> action + " " + resource.replaceFirst("^conn_[0-9a-f]+/", "conn/");
            default -> action + " " + resource;
        };
    }

    /** The records of this kind that name the execution, in order. */
    private static List<JsonNode> ofIntegrations(String kind, Answer answer, int count) {
        return Waiting.until(
                LIMIT,
                () -> new Audit(project.client())
                                .records("order=oldest&project=" + project.id() + "&type=io.aiel.plane.integration."
                                        + kind + ".v1")
                                .stream()
                                .map(one -> one.path("event"))
                                .filter(one ->
                                        one.at("/data/execution_id").asText().equals(answer.executionId()))
                                .toList(),
                found -> found.size() >= count,
                count + " records of integration." + kind);
    }

    private static String type(JsonNode record) {
        return record.at("/event/type").asText();
    }

    private static List<String> actions(List<JsonNode> events) {
        return events.stream().map(one -> one.at("/data/action").asText()).toList();
    }

    @Test
    void refundsAnOrderAndLeavesARecordOfEachCall() throws SQLException {
        project.push(withACarelessAgent());

        Answer answer = write("support", 8, "chair", REFUND + "1003, the chair is too small.");

        assertThat(result(answer)).isEqualTo(PlaneClient.read("""
                {"reply": "We have refunded 180.0 for order 1003. This is message 1.", "action": "refund",
                 "reason": "The customer wants the money back.", "refund": {"order_id": 1003, "amount": 180.0}}
                """));
        assertThat(refunds(1003)).containsExactly("8 gets 180.00");
        String thread = "customer:8:chair";
        List<JsonNode> calls = calls(answer);
        assertThat(calls)
                .extracting(SupportAgentTest::asked)
                .containsExactly(
                        "integration.read",
                        "memory.read " + thread,
                        "memory.write " + thread,
                        "memory.write " + thread,
                        "integration.invoke conn/" + MODEL,
                        "memory.write " + thread,
                        "integration.invoke conn/postgres.query",
                        "memory.read " + project.id(),
                        "memory.write " + thread,
                        "integration.invoke conn/" + MODEL,
                        "memory.write " + thread,
                        "integration.invoke conn/postgres.insert",
                        "memory.write " + thread,
                        "integration.invoke conn/" + MODEL,
                        "memory.write " + project.id(),
                        "memory.write " + thread);
        assertThat(calls).as("each was decided").allSatisfy(call -> {
            assertThat(call.path("decision_id").asText()).startsWith("dec_");
            assertThat(call.path("policy").asText()).startsWith("sha256:");
            assertThat(call.path("reasons")).isNotEmpty();
        });
        assertThat(calls)
                .extracting(call -> call.path("decision_id").asText())
                .as("by a decision of its own")
                .doesNotHaveDuplicates();
        assertThat(actions(ofIntegrations("called", answer, 5)))
                .containsExactly(MODEL, "postgres.query", MODEL, "postgres.insert", MODEL);
        assertThat(ofIntegrations("answered", answer, 5))
                .hasSize(5)
                .allSatisfy(one -> assertThat(one.at("/data/status").asText()).isEqualTo("done"));
    }

    @Test
    void answersAQuestionWithoutTheDatabase() {
        Answer answer = write("support", 7, "hours", "When are you open?");

        assertThat(result(answer).path("action").asText()).isEqualTo("answer");
        assertThat(result(answer).path("reply").asText()).isEqualTo("We are open from nine to six. This is message 1.");
        assertThat(actions(ofIntegrations("called", answer, 2))).containsExactly(MODEL, MODEL);
    }

    /** The model proposes a refund in each of them. */
    @Test
    void refundsNothingThatTheRulesForbid() throws SQLException {
        JsonNode tooLate = result(write("support", 7, "late", REFUND + "1002."));
        JsonNode tooMuch = result(write("support", 8, "much", REFUND + "1004."));
        JsonNode another = result(write("support", 7, "another", REFUND + "1004."));

        assertThat(tooLate.path("reason").asText()).contains("more than 30 days ago");
        assertThat(tooMuch.path("reason").asText()).contains("for a colleague");
        assertThat(another.path("reason").asText()).isEqualTo("This customer has no such order.");
        assertThat(Stream.of(tooLate, tooMuch, another)
                        .map(one -> one.path("action").asText()))
                .containsOnly("answer");
        assertThat(refunds(1002)).isEmpty();
        assertThat(refunds(1004)).isEmpty();
    }

    /** The second message names no order: which one is meant is in the checkpoint alone. */
    @Test
    void goesOnWithAConversationAndWithNobodyElsesOfThatName() throws SQLException {
        JsonNode second = result(write("support", 7, "first", "And when will I have the money?"));

        assertThat(second.path("reply").asText()).isEqualTo("Order 1001 has been refunded. This is message 2.");
        assertThat(second.path("action").asText()).isEqualTo("answer");
        assertThat(model.asked()
                        .getLast()
                        .path("messages")
                        .valueStream()
                        .map(one -> one.path("role").asText()))
                .containsExactly("system", "user", "assistant", "user");
        assertThat(refunds(1001)).containsExactly("7 gets 49.90");

        JsonNode others = result(write("support", 9, "first", "And when will I have the money?"));

        assertThat(others.path("reply").asText()).isEqualTo("We are open from nine to six. This is message 1.");
    }

    @Test
    void isRefusedWhatItDoesNotDeclareAndThatIsOnRecord() throws SQLException {
        project.push(withACarelessAgent());

        Answer answer = write("careless", 8, "lamp", REFUND + "1005.");

        assertThat(answer.json().path("ok").asBoolean()).as(answer.text()).isFalse();
        assertThat(answer.errorCode()).isEqualTo("USER_CODE_ERROR");
        assertThat(answer.text()).contains("ACTION_NOT_GRANTED");
        assertThat(refunds(1005)).isEmpty();
        assertThat(ofIntegrations("refused", answer, 1)).singleElement().satisfies(one -> {
            assertThat(one.at("/data/action").asText()).isEqualTo("postgres.insert");
            assertThat(one.at("/data/code").asText()).isEqualTo("ACTION_NOT_GRANTED");
        });
        assertThat(actions(ofIntegrations("called", answer, 3))).containsExactly(MODEL, "postgres.query", MODEL);
    }

    /** The sample, with an agent beside its own that does the same and declares less. */
    private static Map<String, String> withACarelessAgent() {
        Map<String, String> files = new LinkedHashMap<>();
        try (Stream<Path> found = Files.list(SAMPLE)) {
            for (Path file : new TreeSet<>(
                    found.filter(one -> one.toString().matches(".*\\.(py|txt)")).toList())) {
                files.put(file.getFileName().toString(), Files.readString(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        files.merge("entry_point.py", """


                @agent("careless", allowed_actions=("openai.chat.completions.create", "postgres.query"))
                def careless(ctx, state: Ticket) -> dict:
                    return support(ctx, state)
                """, String::concat);
        return files;
    }

    @Test
    void leavesNoCredentialInAnAnswerOrARecord() {
        String records =
                new Audit(project.client()).records("project=" + project.id()).toString();
        String state = project.client()
                .get(project.path() + "/memory/thread/customer:7:first/checkpoint/latest")
                .expect(200)
                .toString();

        assertThat(records).contains("integration.called");
        assertThat(records + state).doesNotContain(PASSWORD, KEY);
    }
}
