package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.registry.TestProject;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.vocabulary.ErrorCode;
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
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Inject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Another key for credentials while servers run, in the real database: a few at a look, by several servers at once, with every one of them readable
 * all the time.
 */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(WithKeys.class)
class KeyRotationTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String OLD = "1a".repeat(32);
    private static final String NEW = "2b".repeat(32);
    private static final int CREDENTIALS = 60;
    private static final int AT_A_LOOK = 50;
    private static final int CALLERS = 8;

    @Inject
    PolicyEngine policy;

    @Inject
    DataSource database;

    @Inject
    Pool pool;

    @Inject
    ControlAudit audit;

    @Inject
    Vertx vertx;

    @TempDir
    Path folder;

    private final List<Integrations> servers = new ArrayList<>();
    private final AtomicBoolean over = new AtomicBoolean();
    private ProjectScope scope = new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());

    @BeforeEach
    void makeProject() throws SQLException {
        scope = TestProject.create(database, policy).scope();
    }

    @AfterEach
    void end() throws SQLException {
        over.set(true);
        servers.forEach(Integrations::close);
        one("delete from connections where project = '" + scope.project().value() + "' returning 1");
    }

    private String one(String sql) throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery(sql)) {
            return found.next() ? String.valueOf(found.getString(1)) : "";
        }
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

    /** The file of one server, replaced as a whole: a look in between sees the one or the other. */
    private Path keys(String server, String... keys) throws IOException {
        Path next = Files.writeString(folder.resolve(server + ".next"), String.join("\n", keys) + "\n");
        return Files.move(
                next, folder.resolve(server), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static IntegrationSettings settings(Path keys) {
        return new IntegrationSettings(
                Optional.of(keys),
                Optional.empty(),
                Set.of("127.0.0.1"),
                CREDENTIALS,
                600,
                16,
                256,
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                10_000,
                Duration.ofHours(1),
                Duration.ofDays(30),
                1,
                Duration.ofSeconds(1),
                Duration.ofSeconds(20));
    }

    private Integrations server(Path keys) {
        Integrations server = new Integrations(
                settings(keys),
                Calls.Limits.USUAL,
                vertx,
                pool,
                audit,
                JSON,
                OpenTelemetry.noop().getTracer("test"),
                new SimpleMeterRegistry(),
                Clock.systemUTC());
        servers.add(server);
        return server;
    }

    private AuditContext context() {
        return new AuditContext(
                scope.tenant(),
                Optional.of(scope.workspace()),
                Optional.of(scope.project()),
                Optional.empty(),
                "test",
                "");
    }

    /** So many connections, each with a password of its own that has its number in it. */
    private List<String> connections(Integrations server, int count) {
        List<CompletableFuture<String>> made = new ArrayList<>();
        try (ExecutorService callers = Executors.newFixedThreadPool(CALLERS)) {
            for (int i = 0; i < count; i++) {
                String password = "canary-" + i;
                made.add(CompletableFuture.supplyAsync(() -> connection(server, password), callers));
            }
        }
        return made.stream().map(CompletableFuture::join).toList();
    }

    private String connection(Integrations server, String password) {
        Map<String, Object> draft = Map.of(
                "provider",
                "postgres",
                "display_name",
                "Rotated",
                "settings",
                Map.of("host", "127.0.0.1", "database", "none", "user", "none", "port", 1, "ssl", "disable"),
                "allowed_actions",
                List.of("postgres.query"),
                "granted_actions",
                List.of("postgres.query"));
        String id = await(() -> server.create(scope, context(), JSON.valueToTree(draft)))
                .getString("connection_id");
        await(() -> server.putCredentials(scope, context(), id, JSON.valueToTree(Map.of("password", password))));
        return id;
    }

    /** What opens each of these for a server with these keys. */
    private List<String> passwords(Path keys, List<String> connections) {
        CredentialSeal seal = new CredentialSeal(new KekFile(keys));
        ConnectionStore store = new ConnectionStore(pool, audit, seal, settings(keys), Clock.systemUTC());
        return connections.stream()
                .map(id -> await(() -> store.load(scope, id)).orElseThrow())
                .map(loaded -> await(() -> seal.open(
                        loaded.connection().credentialPlace(),
                        loaded.credentials().orElseThrow())))
                .map(bytes -> new String(bytes, StandardCharsets.UTF_8).replaceAll(".*\"(canary-\\d+)\".*", "$1"))
                .toList();
    }

    private static List<String> expected() {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < CREDENTIALS; i++) {
            all.add("canary-" + i);
        }
        return all;
    }

    /** How many of the project's credentials are sealed under another key than this. */
    private int notUnder(String kek) throws SQLException {
        return Integer.parseInt(
                one("select count(*) from connection_credentials s join connections c on c.id = s.connection"
                        + " where c.project = '" + scope.project().value() + "' and s.kek <> '" + kek + "'"));
    }

    private int looksAtMost() throws SQLException {
        return Integer.parseInt(one("select count(*) from connection_credentials")) / AT_A_LOOK + 2;
    }

    private static String name(Path keys) {
        return await(() -> new KekFile(keys).current());
    }

    /** Seen to fail: when a look wraps nothing anew. */
    @Test
    void takesANewKeyAFewAtALookWithNoneUnreadableMeanwhile() throws Exception {
        Path file = keys("one", OLD);
        Integrations server = server(file);
        List<String> connections = connections(server, CREDENTIALS);
        Path reader = keys("reader", OLD, NEW);
        CompletableFuture<Integer> reading = CompletableFuture.supplyAsync(() -> {
            int times = 0;
            do {
                assertThat(passwords(reader, connections)).isEqualTo(expected());
                times++;
            } while (!over.get());
            return times;
        });

        keys("one", NEW, OLD);
        server.readKeys();
        String newest = name(file);
        int left = notUnder(newest);
        assertThat(left).isEqualTo(CREDENTIALS);
        int looks = 0;
        while (left > 0 && looks < looksAtMost()) {
            await(server::lookOnce);
            int now = notUnder(newest);
            assertThat(left - now).isBetween(0, AT_A_LOOK);
            left = now;
            looks++;
        }
        over.set(true);

        assertThat(left).isZero();
        assertThat(looks).isGreaterThanOrEqualTo(2);
        assertThat(reading.join()).isPositive();
        // Nobody needs the old key any more.
        keys("one", NEW);
        server.readKeys();
        assertThat(passwords(file, connections)).isEqualTo(expected());
        assertUsable(server, connections.getFirst());
    }

    /** Also while their files differ in what is first, as they do until the last of them was changed. */
    @Test
    void doesNoHarmWhenTwoServersDoItAtOnce() throws Exception {
        Path file = keys("one", OLD);
        Path other = keys("other", OLD);
        Path reader = keys("reader", OLD, NEW);
        Integrations one = server(file);
        Integrations two = server(other);
        List<String> connections = connections(one, CREDENTIALS);

        keys("one", NEW, OLD);
        keys("other", OLD, NEW);
        lookAtOnce(one, two);
        assertThat(passwords(reader, connections)).isEqualTo(expected());
        keys("other", NEW, OLD);
        String newest = name(file);
        for (int looks = 0; looks < 2 * looksAtMost() && notUnder(newest) > 0; looks++) {
            lookAtOnce(one, two);
        }

        assertThat(notUnder(newest)).isZero();
        keys("one", NEW);
        keys("other", NEW);
        assertThat(passwords(file, connections)).isEqualTo(expected());
        assertThat(passwords(other, connections)).isEqualTo(expected());
    }

    private static void lookAtOnce(Integrations one, Integrations two) {
        one.readKeys();
        two.readKeys();
        await(() -> Uni.combine().all().unis(one.lookOnce(), two.lookOnce()).discardItems());
    }

    @Test
    void saysWhichKeyIsMissingAndLeavesWhatItSealedAsItIs() throws Exception {
        Path file = keys("one", OLD);
        Integrations server = server(file);
        String connection = connection(server, "canary-0");
        String missing = name(file);

        keys("one", NEW);
        server.readKeys();
        for (int looks = 0; looks < looksAtMost(); looks++) {
            await(server::lookOnce);
        }

        assertThatThrownBy(() -> ask(server, connection)).isInstanceOfSatisfying(Refusal.class, refusal -> {
            assertThat(refusal.code()).isEqualTo(ErrorCode.CONNECTION_UNUSABLE);
            assertThat(refusal.getMessage())
                    .contains(missing)
                    .contains("plane.integration.kek-file")
                    .doesNotContain("canary")
                    .doesNotContain(OLD)
                    .doesNotContain(NEW);
        });
        assertThat(notUnder(missing)).isZero();
        // The key is put back, below the new one.
        keys("one", NEW, OLD);
        server.readKeys();
        assertUsable(server, connection);
    }

    private void ask(Integrations server, String connection) {
        await(() -> server.actions()
                .invoke(
                        new ActionService.Asker(
                                scope,
                                PrincipalId.create(),
                                Optional.empty(),
                                Optional.empty(),
                                context(),
                                Context.root()),
                        connection,
                        "postgres.query",
                        JSON.createObjectNode().put("sql", "select 1"),
                        Optional.empty()));
    }

    /** It gets as far as the outside system, where nobody is. */
    private void assertUsable(Integrations server, String connection) {
        assertThatThrownBy(() -> ask(server, connection))
                .isInstanceOfSatisfying(
                        Refusal.class,
                        refusal -> assertThat(refusal.getMessage()).contains("could not be connected to"));
    }
}
