package io.aiel.plane.gateway.integration;

import static io.restassured.RestAssured.given;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.identity.Bootstrap;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.input.InputCheck;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.context.Context;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import io.quarkus.vertx.VertxContextSupport;
import io.restassured.response.Response;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Inject;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import javax.sql.DataSource;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Connections over HTTP, their credentials, and what is done with them, with the real database behind and as the outside system.
 */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(WithKeys.class)
class IntegrationsTest {
    private static final int AT_ONCE_MAX = 16;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CANARY = "canary/9f+3c e7";

    @Inject
    Bootstrap bootstrap;

    @Inject
    PolicyEngine policy;

    @Inject
    DataSource database;

    @Inject
    Pool pool;

    @Inject
    ControlAudit audit;

    @Inject
    Integrations integrations;

    @ConfigProperty(name = "quarkus.datasource.reactive.url")
    String address;

    @ConfigProperty(name = "quarkus.datasource.username")
    String user;

    @ConfigProperty(name = "quarkus.datasource.password")
    String password;

    private String token = "";
    private String workspace = "";
    private String project = "";

    @BeforeEach
    void makeProject() throws Throwable {
        long until = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!policy.ready() && System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        token = VertxContextSupport.subscribeAndAwait(() -> bootstrap.ensureDevelopment());
        String unique = "i" + UUID.randomUUID().toString().substring(0, 13);
        workspace = post("/v1/workspaces", Map.of("slug", unique)).jsonPath().getString("id");
        project = newProject("p" + unique);
    }

    private String newProject(String slug) {
        return post("/v1/workspaces/" + workspace + "/projects", Map.of("slug", slug))
                .jsonPath()
                .getString("id");
    }

    private String base() {
        return "/v1/workspaces/" + workspace + "/projects/" + project + "/integrations";
    }

    private io.restassured.specification.RequestSpecification as() {
        return given().urlEncodingEnabled(false).header("X-API-Token", token).contentType("application/json");
    }

    private Response post(String path, Object body) {
        return as().body(body).post(path);
    }

    private static JsonNode json(Response response, int status) {
        assertThat(response.statusCode()).as(response.asString()).isEqualTo(status);
        try {
            return JSON.readTree(response.asString());
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new AssertionError(response.asString(), e);
        }
    }

    private Map<String, Object> draft() {
        return new HashMap<>(Map.of(
                "provider", "postgres",
                "display_name", "Shop",
                "settings", settings(),
                "allowed_actions", List.of("postgres.query", "postgres.insert"),
                "granted_actions", List.of("postgres.query", "postgres.insert")));
    }

    private Map<String, Object> settings() {
        URI server = URI.create(address.replaceFirst("^vertx-reactive:", ""));
        return new HashMap<>(Map.of(
                "host",
                "127.0.0.1",
                "port",
                server.getPort(),
                "database",
                server.getPath().substring(1),
                "user",
                user,
                "ssl",
                "disable"));
    }

    private String create(Map<String, Object> draft) {
        return json(post(base(), draft), 201).path("connection_id").asText();
    }

    private String ready(Map<String, Object> draft) {
        String id = create(draft);
        json(as().body(Map.of("password", password)).put(base() + "/" + id + "/credentials"), 200);
        return id;
    }

    private Response invoke(String id, String action, Map<String, ?> params) {
        return post(base() + "/" + id + "/action/" + action + ":invoke", Map.of("params", params));
    }

    private Response select(String id, String sql) {
        return invoke(id, "postgres.query", Map.of("sql", sql));
    }

    private String one(String sql) throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            if (!statement.execute(sql)) {
                return "";
            }
            try (ResultSet found = statement.getResultSet()) {
                return found.next() ? String.valueOf(found.getString(1)) : "";
            }
        }
    }

    /** Short types of the records that name this, in the log or on their way to it. */
    private List<String> records(String id) throws SQLException {
        String found = one(
                "select coalesce(string_agg(type, ' ' order by sequence), '') from (select distinct type, sequence from ("
                        + "select type, sequence, canonical as text from audit_outbox union all "
                        + "select type, sequence, canonical as text from audit_events) as one where text like '%" + id
                        + "%' and type not like '%audit.read%') as r");
        return found.isEmpty()
                ? List.of()
                : List.of(found.replace("io.aiel.plane.", "").replace(".v1", "").split(" ", -1));
    }

    @Test
    void isMadeShownChangedAndDeletedInTheFormOfTheContract() throws SQLException {
        String id = create(draft());

        JsonNode shown = json(as().get(base() + "/" + id), 200);
        assertThat(shown.properties().stream().map(Map.Entry::getKey))
                .containsExactly(
                        "connection_id",
                        "workspace_id",
                        "project_id",
                        "provider",
                        "connector",
                        "resource_type",
                        "display_name",
                        "status",
                        "status_reason",
                        "capabilities",
                        "allowed_actions",
                        "granted_actions",
                        "auth",
                        "metadata");
        assertThat(shown.path("capabilities").toString())
                .isEqualTo("[\"postgres:query:read\",\"postgres:insert:create\"]");
        assertThat(shown.path("status").asText()).isEqualTo("enabled");
        assertThat(shown.path("status_reason").asText()).isEqualTo("It has no credentials.");
        assertThat(json(as().get(base()), 200).get(0)).isEqualTo(shown);

        JsonNode changed = json(
                as().body(Map.of("display_name", "Other", "status", "disabled", "status_reason", "moving"))
                        .patch(base() + "/" + id),
                200);
        assertThat(changed.path("display_name").asText()).isEqualTo("Other");
        assertThat(changed.path("status_reason").asText()).isEqualTo("moving");
        assertThat(changed.path("metadata").path("host").asText()).isEqualTo("127.0.0.1");
        assertThat(json(select(id, "select 1"), 409).path("code").asText()).isEqualTo("CONNECTION_UNUSABLE");

        assertThat(as().delete(base() + "/" + id).statusCode()).isEqualTo(204);
        assertThat(as().get(base() + "/" + id).statusCode()).isEqualTo(404);
        assertThat(as().delete(base() + "/" + id).statusCode()).isEqualTo(404);
        assertThat(records(id)).containsExactly("control.changed", "control.changed", "control.changed");
    }

    @Test
    void refusesWhatCannotBeMeantAndNamesTheField() {
        Map<String, Map<String, Object>> wrong = new HashMap<>();
        wrong.put("/provider", Map.of("provider", "oracle"));
        wrong.put("/allowed_actions/0", Map.of("allowed_actions", List.of("slack.post_message")));
        wrong.put("/granted_actions", Map.of("granted_actions", "all"));
        wrong.put("/settings", Map.of("settings", Map.of("host", "h")));
        wrong.put("/settings/host", Map.of("settings", Map.of("host", "a b", "database", "d", "user", "u")));
        wrong.put("/credentials", Map.of("credentials", Map.of("password", "p")));
        wrong.put("/calls_per_minute", Map.of("calls_per_minute", 0));
        wrong.put("/timeout_ms", Map.of("timeout_ms", 9_999_999));
        wrong.put("/status", Map.of("status", "broken"));
        wrong.put("/display_name", Map.of("display_name", ""));
        wrong.forEach((pointer, more) -> {
            Map<String, Object> draft = draft();
            draft.putAll(more);
            assertThat(json(post(base(), draft), 400)
                            .at("/error/details/errors")
                            .findValuesAsText("pointer"))
                    .as(pointer)
                    .contains(pointer);
        });
        assertThat(json(as().get(base()), 200)).isEmpty();
    }

    @Test
    void showsNothingToAnotherProject() {
        String id = ready(draft());
        project = newProject("other-" + UUID.randomUUID().toString().substring(0, 8));

        assertThat(json(as().get(base()), 200)).isEmpty();
        for (Response response : List.of(
                as().get(base() + "/" + id),
                as().body(Map.of("display_name", "x")).patch(base() + "/" + id),
                as().body(Map.of("password", "another")).put(base() + "/" + id + "/credentials"),
                as().delete(base() + "/" + id),
                post(base() + "/" + id + "/health-check", Map.of()),
                select(id, "select 1"))) {
            assertThat(response.statusCode()).isEqualTo(404);
        }
    }

    /** Seen to fail: when to be among the allowed actions was enough. */
    @Test
    void doesOnlyWhatIsAllowedAndGranted() throws SQLException {
        Map<String, Object> draft = draft();
        draft.put("allowed_actions", List.of("postgres.query"));
        draft.put("granted_actions", List.of("postgres.insert"));
        String id = ready(draft);

        JsonNode notGranted = json(select(id, "select 1"), 403);
        JsonNode notAllowed = json(invoke(id, "postgres.insert", Map.of("table", "t", "values", Map.of("a", 1))), 403);

        assertThat(notGranted.path("code").asText()).isEqualTo("ACTION_NOT_GRANTED");
        assertThat(notGranted.path("detail").asText()).contains("granted_actions");
        assertThat(notAllowed.path("detail").asText()).contains("allowed_actions");
        assertThat(json(invoke(id, "postgres.drop", Map.of()), 404)
                        .path("detail")
                        .asText())
                .contains("postgres.query");
        assertThat(records(id)).filteredOn("integration.refused"::equals).hasSize(2);
        assertThat(one("select count(*) from connection_calls where connection = '" + id + "'"))
                .isEqualTo("0");
    }

    @Test
    void invokesAndPutsBothEndsOnRecord() throws SQLException {
        String id = ready(draft());

        JsonNode result = json(
                invoke(id, "postgres.query", Map.of("sql", "select :a::int + 1 as b", "params", Map.of("a", 41))), 200);

        assertThat(result.toString()).isEqualTo("{\"rows\":[{\"b\":42}],\"row_count\":1,\"truncated\":false}");
        assertThat(records(id)).endsWith("integration.called", "integration.answered");
        assertThat(one("select status || ' ' || (response_digest is not null) || ' ' || coalesce(result, 'none') "
                        + "from connection_calls where connection = '" + id + "'"))
                .isEqualTo("done true none");
        JsonNode wrong = json(invoke(id, "postgres.query", Map.of("sql", 1)), 400);
        assertThat(wrong.at("/error/details/errors/0/pointer").asText()).isEqualTo("/params/sql");
        JsonNode refused = json(select(id, "select * from nowhere_4711"), 400);
        assertThat(refused.at("/error/details/reason").asText()).isEqualTo("invalid_sql");
    }

    @Test
    void checksHealthAsTheCliExpectsIt() {
        Map<String, Object> draft = draft();
        draft.put("granted_actions", List.of());
        String id = create(draft);
        String path = base() + "/" + id + "/health-check";

        JsonNode without = json(post(path, Map.of("sql", "select 1 as ok")), 200);
        json(as().body(Map.of("password", "wrong")).put(base() + "/" + id + "/credentials"), 200);
        JsonNode wrong = json(post(path, Map.of()), 200);
        json(as().body(Map.of("password", password)).put(base() + "/" + id + "/credentials"), 200);
        JsonNode well = json(post(path, Map.of("sql", "drop table projects")), 200);

        assertThat(without.path("ok").asBoolean()).isFalse();
        assertThat(without.at("/error/code").asText()).isEqualTo("connection_unusable");
        assertThat(wrong.at("/error/code").asText()).isEqualTo("invalid_auth");
        assertThat(well.toString())
                .isEqualTo(
                        "{\"ok\":true,\"error\":null,\"data\":{\"rows\":[{\"ok\":1}],\"row_count\":1,\"truncated\":false}}");
    }

    /** Seen to fail: without the comparison of digests. */
    @Test
    void doesARequestOfOneKeyOnce() throws SQLException {
        String table = "keyed_" + UUID.randomUUID().toString().substring(0, 8);
        one("create table " + table + " (n serial, v int)");
        String id = ready(draft());
        Map<String, Object> params =
                Map.of("table", table, "values", Map.of("v", 1), "returning", List.of("n"), "idempotency_key", "k1");

        Response first = invoke(id, "postgres.insert", params);
        Response again = invoke(id, "postgres.insert", params);
        Map<String, Object> other = new HashMap<>(params);
        other.put("values", Map.of("v", 2));

        assertThat(json(first, 200).toString()).isEqualTo("{\"inserted\":1,\"returning_rows\":[{\"n\":1}]}");
        assertThat(again.asString()).isEqualTo(first.asString());
        assertThat(json(invoke(id, "postgres.insert", other), 422).path("code").asText())
                .isEqualTo("IDEMPOTENCY_KEY_REUSED");
        assertThat(one("select count(*) from " + table)).isEqualTo("1");
        assertThat(json(
                                as().header("Idempotency-Key", "k2")
                                        .body(Map.of("params", params))
                                        .post(base() + "/" + id + "/action/postgres.insert:invoke"),
                                400)
                        .path("code")
                        .asText())
                .isEqualTo("VALIDATION_ERROR");
    }

    @Test
    void forgetsCredentialsWhenTheSettingsLeadElsewhere() {
        String id = ready(draft());
        Map<String, Object> narrower = settings();
        narrower.put("max_rows", 5);
        Map<String, Object> elsewhere = settings();
        elsewhere.put("host", "db.attacker.example");

        JsonNode kept = json(as().body(Map.of("settings", narrower)).patch(base() + "/" + id), 200);
        assertThat(kept.at("/auth/credential_version").asInt()).isEqualTo(1);
        json(select(id, "select 1"), 200);

        JsonNode gone = json(as().body(Map.of("settings", elsewhere)).patch(base() + "/" + id), 200);
        assertThat(gone.at("/auth/credential_version").isNull()).isTrue();
        json(as().body(Map.of("settings", settings())).patch(base() + "/" + id), 200);
        assertThat(json(select(id, "select 1"), 409).path("detail").asText()).contains("no credentials");
    }

    /** Seen to fail: with a seal that was bound to nothing. */
    @Test
    void doesNotOpenCredentialsThatWereCopiedToAnotherConnection() throws SQLException {
        String from = ready(draft());
        String to = ready(draft());

        one("update connection_credentials t set wrapped_key = f.wrapped_key, sealed = f.sealed, kek = f.kek "
                + "from connection_credentials f where f.connection = '" + from + "' and t.connection = '" + to + "'");

        assertThat(json(select(to, "select 1"), 409).path("detail").asText()).contains("do not open");
        json(select(from, "select 1"), 200);
    }

    @Test
    void limitsEachConnectionByItselfAndSaysWhenToComeAgain() {
        Map<String, Object> few = draft();
        few.put("calls_per_minute", 6);
        String limited = ready(few);
        String other = ready(draft());

        json(select(limited, "select 1"), 200);
        Response refused = select(limited, "select 1");

        assertThat(json(refused, 429).path("code").asText()).isEqualTo("RATE_LIMITED");
        assertThat(Integer.parseInt(refused.header("Retry-After"))).isBetween(1, 11);
        json(select(other, "select 1"), 200);
    }

    @Test
    void leavesNoTraceOfACredentialAnywhere() throws Exception {
        List<String> logged = new ArrayList<>();
        Handler listening = new Handler() {
            @Override
            public void publish(LogRecord line) {
                synchronized (logged) {
                    logged.add(line.getMessage() + " " + java.util.Arrays.toString(line.getParameters()) + " "
                            + line.getThrown());
                }
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger.getLogger("").addHandler(listening);
        StringBuilder answered = new StringBuilder();
        try {
            String id = create(draft());
            String credentials = base() + "/" + id + "/credentials";
            // Right in form, wrong in form, and where it does not belong.
            answered.append(
                    as().body(Map.of("password", CANARY)).put(credentials).asString());
            answered.append(as().body(Map.of("pass", CANARY)).put(credentials).asString());
            answered.append(as().body("[\"" + CANARY + "\"]").put(credentials).asString());
            answered.append(select(id, "select 1").asString());
            answered.append(post(base() + "/" + id + "/health-check", Map.of()).asString());
            answered.append(as().get(base()).asString())
                    .append(as().get(base() + "/" + id).asString());
        } finally {
            Logger.getLogger("").removeHandler(listening);
        }
        String everything = answered + String.join("\n", logged) + dump();
        byte[] bytes = CANARY.getBytes(StandardCharsets.UTF_8);
        assertThat(everything).contains("postgres").hasSizeGreaterThan(10_000);
        assertThat(List.of(
                        CANARY,
                        Base64.getEncoder().encodeToString(bytes),
                        Base64.getUrlEncoder().withoutPadding().encodeToString(bytes),
                        HexFormat.of().formatHex(bytes),
                        URLEncoder.encode(CANARY, StandardCharsets.UTF_8),
                        CANARY.replace("/", "\\/")))
                .allSatisfy(
                        form -> assertThat(everything.contains(form)).as(form).isFalse());
    }

    /** All rows of all tables as text; bytes as hex. */
    private String dump() throws SQLException {
        StringBuilder dump = new StringBuilder();
        String tables = one(
                "select string_agg(format('%I.%I', schemaname, tablename), ' ') from pg_tables where schemaname = 'public'");
        for (String table : tables.split(" ", -1)) {
            dump.append(one("select coalesce(string_agg(t::text, ' '), '') from " + table + " t"));
        }
        return dump.toString();
    }

    // What depends on what the outside system does, with one that does as it is told.

    private ProjectScope scope() throws SQLException {
        return new ProjectScope(
                new TenantId(one("select tenant_id from projects where id = '" + project + "'")),
                new WorkspaceId(workspace),
                new ProjectId(project));
    }

    private ActionService.Asker asker() throws SQLException {
        ProjectScope scope = scope();
        return new ActionService.Asker(
                scope,
                PrincipalId.create(),
                Optional.empty(),
                Optional.empty(),
                new AuditContext(
                        scope.tenant(),
                        Optional.of(scope.workspace()),
                        Optional.of(scope.project()),
                        Optional.empty(),
                        "test",
                        ""),
                Context.root());
    }

    private static IntegrationSettings settings(Duration statementTimeout) {
        return new IntegrationSettings(
                Optional.empty(),
                Optional.empty(),
                Set.of(),
                10,
                600,
                16,
                256,
                Duration.ofSeconds(1),
                Duration.ofSeconds(2),
                100,
                Duration.ofHours(1),
                Duration.ofHours(2),
                1,
                Duration.ofSeconds(1),
                statementTimeout);
    }

    private ActionService service(ActionRunner runner) {
        IntegrationSettings settings = settings(Duration.ofSeconds(5));
        CredentialSeal seal = new CredentialSeal(new KekFile(java.nio.file.Path.of("target", "integration-keys")));
        return new ActionService(
                new ConnectionStore(pool, audit, seal, settings, Clock.systemUTC()),
                new ActionCalls(pool, audit, settings, Clock.systemUTC()),
                seal,
                new ProviderCatalogue(List.of(runner)),
                List.of(runner),
                new CallLimits(AT_ONCE_MAX, 256, System::nanoTime),
                new CallTelemetry(OpenTelemetry.noop().getTracer("test"), new SimpleMeterRegistry()),
                new InputCheck(10),
                settings,
                JSON);
    }

    private static <T> T await(Supplier<Uni<T>> work) {
        try {
            return VertxContextSupport.subscribeAndAwait(work);
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private JsonText insert(ActionService service, ActionService.Asker asker, String id, Optional<String> key) {
        ObjectNode params = JSON.valueToTree(Map.of("table", "t", "values", Map.of("a", 1)));
        return await(() -> service.invoke(asker, id, "postgres.insert", params, key));
    }

    private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call, ErrorCode code) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        Refusal.class, refusal -> assertThat(refusal.code()).isEqualTo(code));
    }

    @Test
    void isOnRecordBeforeTheFirstByteLeaves() throws SQLException {
        String id = ready(draft());
        AtomicReference<String> row = new AtomicReference<>("");
        List<String> records = new ArrayList<>();
        FakeActionRunner system = new FakeActionRunner(_ -> Uni.createFrom()
                .<ActionResult>item(() -> {
                    try {
                        // Another connection sees only what is committed.
                        row.set(one("select status from connection_calls where connection = '" + id + "'"));
                        records.addAll(records(id));
                    } catch (SQLException e) {
                        throw new IllegalStateException(e);
                    }
                    return new ActionResult.Done(JSON.createObjectNode());
                })
                .runSubscriptionOn(io.smallrye.mutiny.infrastructure.Infrastructure.getDefaultWorkerPool()));

        insert(service(system), asker(), id, Optional.empty());

        assertThat(row.get()).isEqualTo("sent");
        assertThat(records).endsWith("integration.called").doesNotContain("integration.answered");
        assertThat(records(id)).endsWith("integration.called", "integration.answered");
    }

    @Test
    void callsNothingWhenTheCallCannotBePutOnRecord() throws SQLException {
        String id = ready(draft());
        FakeActionRunner system = FakeActionRunner.done();
        ActionService.Asker asker = asker();
        one("alter table connection_calls rename to connection_calls_away");
        try {
            assertThatThrownBy(() -> insert(service(system), asker, id, Optional.empty()))
                    .isNotNull();
        } finally {
            one("alter table connection_calls_away rename to connection_calls");
        }
        assertThat(system.seen()).isEmpty();
    }

    /** Seen to fail: without the look at what is declared. */
    @Test
    void doesForCodeOnlyWhatItsCapabilityDeclares() throws SQLException {
        String id = ready(draft());
        FakeActionRunner system = FakeActionRunner.done();
        ActionService service = service(system);

        assertRefused(() -> insert(service, code(Set.of()), id, Optional.empty()), ErrorCode.ACTION_NOT_GRANTED);
        assertRefused(
                () -> insert(service, code(Set.of("postgres.query")), id, Optional.empty()),
                ErrorCode.ACTION_NOT_GRANTED);
        assertThat(system.seen()).isEmpty();
        assertThat(records(id)).endsWith("integration.refused", "integration.refused");

        insert(service, code(Set.of("postgres.insert")), id, Optional.empty());
        insert(service, code(Set.of("postgres:insert:create")), id, Optional.empty());

        assertThat(system.seen()).hasSize(2);
    }

    /** Seen to fail: when the place of a call was given back to another connection. */
    @Test
    void givesThePlaceOfACallBackHoweverItEnds() throws SQLException {
        String id = ready(draft());
        AtomicInteger calls = new AtomicInteger();
        ActionService service = service(new FakeActionRunner(_ -> switch (calls.incrementAndGet() % 3) {
            case 0 -> Uni.createFrom().failure(new IllegalStateException("broken"));
            case 1 -> Uni.createFrom().item(new ActionResult.Done(JSON.createObjectNode()));
            default -> Uni.createFrom().item(new ActionResult.Refused("busy", "later", 502, Optional.empty()));
        }));
        ActionService.Asker asker = asker();

        for (int i = 0; i < AT_ONCE_MAX * 4; i++) {
            try {
                insert(service, asker, id, Optional.empty());
            } catch (Refusal refusal) {
                assertThat(refusal.code()).isNotEqualTo(ErrorCode.RATE_LIMITED);
            }
        }

        assertThat(calls).hasValue(AT_ONCE_MAX * 4);
    }

    private ActionService.Asker code(Set<String> declares) throws SQLException {
        ActionService.Asker somebody = asker();
        return new ActionService.Asker(
                somebody.scope(),
                somebody.principal(),
                Optional.of(new FakeCallingExecution()),
                Optional.of(declares),
                somebody.context(),
                Context.root());
    }

    @Test
    void putsTheEndOfACallOnTheRecordOfTheExecutionWhoseCodeCalled() throws SQLException {
        String id = ready(draft());
        List<ActionResult> answers = new ArrayList<>(List.of(
                new ActionResult.Done(JSON.createObjectNode()),
                new ActionResult.Refused("busy", "later", 502, Optional.empty())));
        ActionService service =
                service(new FakeActionRunner(_ -> Uni.createFrom().item(answers.removeFirst())));
        FakeCallingExecution execution = new FakeCallingExecution();
        ActionService.Asker somebody = asker();
        ActionService.Asker code = new ActionService.Asker(
                somebody.scope(),
                somebody.principal(),
                Optional.of(execution),
                Optional.empty(),
                somebody.context(),
                Context.root());

        JsonText result = insert(service, code, id, Optional.of("k"));
        insert(service, code, id, Optional.of("k"));
        assertRefused(() -> insert(service, code, id, Optional.empty()), ErrorCode.ACTION_REFUSED);

        // What is answered again from memory was not called again.
        assertThat(execution.recorded).hasSize(2);
        AuditEvent.ExecutionAnswered done = (AuditEvent.ExecutionAnswered) execution.recorded.getFirst();
        assertThat(done.execution()).isEqualTo(execution.id());
        assertThat(done.connection()).isEqualTo(id);
        assertThat(done.action()).isEqualTo("postgres.insert");
        assertThat(done.status()).isEqualTo("done");
        assertThat(done.responseDigest()).contains(Digest.of(result.value()));
        assertThat(done.call())
                .isEqualTo(one("select id from connection_calls where connection = '" + id + "' order by sent_at"));
        assertThat(done.models()).isEqualTo(ModelUse.NONE);
        AuditEvent.ExecutionAnswered refused = (AuditEvent.ExecutionAnswered) execution.recorded.getLast();
        assertThat(refused.status()).isEqualTo("refused");
        assertThat(refused.code()).isEqualTo("ACTION_REFUSED");
        assertThat(refused.responseDigest()).isEmpty();
        assertThat(execution.used).isEmpty();
    }

    @Test
    void saysThatAnOutcomeIsNotKnownAndDoesNotSendAgain() throws SQLException {
        String id = ready(Map.of(
                "provider",
                "postgres",
                "display_name",
                "n",
                "settings",
                settings(),
                "timeout_ms",
                100,
                "allowed_actions",
                List.of("postgres.insert"),
                "granted_actions",
                List.of("postgres.insert")));
        FakeActionRunner silent = new FakeActionRunner(_ -> Uni.createFrom().nothing());
        ActionService service = service(silent);
        ActionService.Asker asker = asker();

        assertRefused(() -> insert(service, asker, id, Optional.of("k")), ErrorCode.ACTION_OUTCOME_UNKNOWN);
        assertRefused(() -> insert(service, asker, id, Optional.of("k")), ErrorCode.ACTION_OUTCOME_UNKNOWN);

        assertThat(silent.seen()).hasSize(1);
        assertThat(one("select status from connection_calls where connection = '" + id + "'"))
                .isEqualTo("unknown");
    }

    @Test
    void freesTheKeyOfWhatWasRefused() throws SQLException {
        String id = ready(draft());
        List<ActionResult> answers = new ArrayList<>(List.of(
                new ActionResult.Refused("busy", "later", 429, Optional.of(Duration.ofSeconds(3))),
                new ActionResult.Done(JSON.createObjectNode())));
        FakeActionRunner system = new FakeActionRunner(_ -> Uni.createFrom().item(answers.removeFirst()));
        ActionService service = service(system);
        ActionService.Asker asker = asker();

        assertThatThrownBy(() -> insert(service, asker, id, Optional.of("k")))
                .isInstanceOfSatisfying(Refusal.class, refusal -> {
                    assertThat(refusal.code()).isEqualTo(ErrorCode.RATE_LIMITED);
                    assertThat(refusal.headers()).containsEntry("Retry-After", "3");
                });
        assertThat(insert(service, asker, id, Optional.of("k")).value()).isEqualTo("{}");
        assertThat(insert(service, asker, id, Optional.of("k")).value()).isEqualTo("{}");
        assertThat(system.seen()).hasSize(2);
    }

    @Test
    void saysOnceThatACallIsLostWhoseServerDied() throws SQLException {
        String id = ready(draft());
        String call = "call_" + UUID.randomUUID().toString().replace("-", "");
        one(
                "insert into connection_calls (id, tenant, workspace, project, connection, action, principal, idempotency_key, "
                        + "request_digest, status, sent_at, deadline_at) values ('" + call + "', '"
                        + scope().tenant().value() + "', '" + workspace + "', '" + project + "', '" + id
                        + "', 'postgres.insert', 'prn_x', 'k', 'sha256:" + "0".repeat(64)
                        + "', 'sent', now() - interval '2 min', now() - interval '1 min')");

        await(() -> integrations.lookOnce());
        await(() -> integrations.lookOnce());

        assertThat(one("select status || ' ' || code from connection_calls where id = '" + call + "'"))
                .isEqualTo("unknown ACTION_OUTCOME_UNKNOWN");
        assertThat(records(call)).containsExactly("integration.answered");
    }

    @Test
    void givesNoResultThatIsTooLarge() throws SQLException {
        String id = ready(draft());
        FakeActionRunner large = new FakeActionRunner(_ -> Uni.createFrom()
                .item(new ActionResult.Done(JSON.createObjectNode().put("x", "y".repeat(200)))));

        assertThatThrownBy(() -> insert(service(large), asker(), id, Optional.empty()))
                .isInstanceOfSatisfying(
                        Refusal.class,
                        refusal -> assertThat(refusal.details()).containsEntry("reason", "result_too_large"));
        assertThat(one("select status from connection_calls where connection = '" + id + "'"))
                .isEqualTo("done");
    }

    @Test
    void hidesACredentialThatAnOutsideSystemRepeats() throws SQLException {
        String id = ready(draft());
        FakeActionRunner telling = new FakeActionRunner(request -> Uni.createFrom()
                .item(new ActionResult.Refused(
                        "invalid_auth",
                        "no: " + request.credentials().path("password").asText(),
                        403,
                        Optional.empty())));

        assertThatThrownBy(() -> insert(service(telling), asker(), id, Optional.empty()))
                .isInstanceOfSatisfying(Refusal.class, refusal -> {
                    assertThat(refusal.detail()).isEqualTo("no: [redacted]");
                    assertThat(refusal.status()).hasValue(403);
                });
    }
}
