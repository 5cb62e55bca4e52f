package io.aiel.plane.gateway.registry;

import static io.restassured.RestAssured.given;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.gateway.embedded.DataDirectoryLock;
import io.aiel.plane.gateway.embedded.EmbeddedPostgres;
import io.aiel.plane.policy.PolicyEngine;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What callers hear when the database has stopped: to come back later, and not that the plane is broken. */
@QuarkusTest
@TestProfile(WithoutDatabaseTest.Profile.class)
class WithoutDatabaseTest {
    /** A database that no other test uses. */
    public static final class Profile implements QuarkusTestProfile {
        @Override
        public boolean disableGlobalTestResources() {
            return true;
        }

        @Override
        public List<TestResourceEntry> testResources() {
            return List.of(new TestResourceEntry(OwnPostgres.class));
        }
    }

    /** Starts the database, and gives the test what stops it. */
    public static final class OwnPostgres implements QuarkusTestResourceLifecycleManager {
        private static final Path FOLDER = Path.of("target", "stopped-database").toAbsolutePath();

        private @Nullable DataDirectoryLock lock;
        private @Nullable EmbeddedPostgres postgres;

        @Override
        public Map<String, String> start() {
            lock = DataDirectoryLock.acquire(FOLDER);
            EmbeddedPostgres started =
                    EmbeddedPostgres.start(FOLDER.resolve("postgres"), EmbeddedServers.libraries(), _ -> {});
            postgres = started;
            started.recreateDatabase();
            return Map.of(
                    "plane.data-dir", FOLDER.resolve("data").toString(),
                    "quarkus.datasource.jdbc.url", started.jdbcUrl(),
                    "quarkus.datasource.reactive.url", started.reactiveUrl(),
                    "quarkus.datasource.username", started.user(),
                    "quarkus.datasource.password", started.password());
        }

        @Override
        public void inject(TestInjector injector) {
            Runnable stop = Objects.requireNonNull(postgres)::close;
            injector.injectIntoFields(stop, new TestInjector.MatchesType(Runnable.class));
        }

        @Override
        public void stop() {
            if (postgres != null) {
                postgres.close();
            }
            if (lock != null) {
                lock.close();
            }
        }
    }

    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    @Nullable
    Runnable stopDatabase;

    @Test
    void answersNotReadyWithATimeToComeBackAtEveryDoor() throws SQLException {
        TestProject project = TestProject.create(database, policy);
        String base = project.base();
        project.push("a.py", 0, "x = 1\n").then().statusCode(200);
        String download = project.as()
                .contentType("application/json")
                .body("{\"expires_seconds\": 60}")
                .post(base + "/downloads:sign?path=a.py")
                .path("signed_url");
        byte[] bytes = "x = 2\n".getBytes(UTF_8);
        Response signed = project.sign("a.py", 1, bytes);
        given().urlEncodingEnabled(false).get(download).then().statusCode(200);

        Objects.requireNonNull(stopDatabase).run();

        // A signed URL asks for no token, so that these reach the registry itself.
        assertThat(notReady(given().urlEncodingEnabled(false).get(download))).contains("database");
        assertThat(notReady(TestProject.put(signed.path("signed_url"), bytes))).contains("database");
        for (String path : List.of(
                base + "/files",
                base + "/snapshots",
                base + "/deployments",
                base + "/capabilities",
                base + "/executions",
                "/v1/auth/me",
                "/v1/workspaces",
                "/v1/tokens",
                "/v1/principals",
                "/v1/audit/events")) {
            notReady(project.as().get(path));
        }
        notReady(project.sign("b.py", 0, bytes));
        notReady(project.commit(signed.path("upload_id")));
        notReady(project.as().delete(base + "/files/a.py"));
        notReady(project.as().contentType("application/json").body("{}").post(base + "/snapshots"));
    }

    private static String notReady(Response answer) {
        assertThat(answer.statusCode()).as(answer.asString()).isEqualTo(503);
        assertThat(answer.contentType()).startsWith("application/problem+json");
        assertThat(answer.<String>path("error.code")).isEqualTo("NOT_READY");
        assertThat(answer.header("Retry-After")).matches("[1-9][0-9]*");
        return answer.path("detail");
    }
}
