package io.aiel.plane.gateway.registry;

import static io.restassured.RestAssured.given;
import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.policy.PolicyEngine;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

/**
 * A server whose isolation is below the minimum: it is not ready and says why, refuses to run anything, and still does what needs no
 * worker. Meant to fail: with {@code WorkerReadiness} up whatever the hydrator says, and with a snapshot that nobody could judge taken
 * for a valid one.
 */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(WithoutWorkersTest.Profile.class)
class WithoutWorkersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String WHY = "isolation 'restricted' is below the minimum 'namespaces'";

    /** Refused before a bundle is installed, so that it costs no more than a start. */
    public static final class Profile implements QuarkusTestProfile {
        @Override
        public Map<String, String> getConfigOverrides() {
            return Map.of(
                    "plane.hydrator.enabled", "true",
                    "plane.hydrator.isolation", "restricted",
                    "plane.hydrator.minimum", "namespaces");
        }
    }

    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    @Inject
    Hydrator hydrator;

    @Test
    void isNotReadyAndRunsNothingWhereTheIsolationIsBelowTheMinimumAndDoesTheRest() throws SQLException {
        TestProject project = TestProject.create(database, policy);
        awaitTheEndOfTheStart();

        Response ready = given().get("/q/health/ready");
        Response pushed = project.push("entry_point.py", 0, "x = 1\n");
        Response refused = project.as()
                .contentType("application/json")
                .body("{\"action\": \"invoke\", \"kind\": \"tool\", \"handler\": \"echo\", \"event\": {}}")
                .post(project.base() + "/executions");

        assertThat(ready.statusCode()).as(ready.asString()).isEqualTo(503);
        assertThat(ready.<String>path("checks.find { it.name == 'workers' }.status"))
                .isEqualTo("DOWN");
        assertThat(ready.<String>path("checks.find { it.name == 'workers' }.data.detail"))
                .startsWith(WHY);
        assertThat(refused.statusCode()).as(refused.asString()).isEqualTo(503);
        assertThat(refused.<String>path("error.code")).isEqualTo("NOT_READY");
        assertThat(refused.asString()).as("who calls is told why").contains(WHY);
        assertThat(refused.header("Retry-After")).matches("[1-9][0-9]*");
        pushed.then().statusCode(200);
        given().get("/q/health/live").then().statusCode(200);
        for (String path : List.of(
                "/v1/auth/me",
                project.base() + "/files",
                project.base() + "/snapshots",
                project.base() + "/executions")) {
            project.as().get(path).then().statusCode(200);
        }
    }

    /** Until then it is not ready either, but for another reason. */
    private void awaitTheEndOfTheStart() {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!hydrator.status().detail().startsWith(WHY)) {
            assertThat(System.nanoTime()).as(hydrator.status().detail()).isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
        }
    }
}
