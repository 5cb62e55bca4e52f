package io.aiel.plane.gateway.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.policy.PolicyEngine;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The limits that hold for a project as a whole, just below, at and just above.
 */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(SmallLimits.class)
class ProjectLimitsTest {
    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    TestProject project;

    @BeforeEach
    void makeProject() throws SQLException {
        project = TestProject.create(database, policy);
    }

    @Test
    void takesAsManyFilesAsTheLimitAllowsAndNotOneMore() {
        for (int file = 1; file <= SmallLimits.FILES; file++) {
            project.push("file" + file + ".py", 0, "x").then().statusCode(200);
        }

        refused(project.push("one-more.py", 0, "x"), "project_files_max", SmallLimits.FILES, SmallLimits.FILES + 1);

        assertThat(files()).hasSize(SmallLimits.FILES).doesNotContain("one-more.py");
        project.push("file1.py", 1, "changed").then().statusCode(200);
        project.as().delete(project.base() + "/files/file1.py").then().statusCode(200);
        project.push("one-more.py", 0, "x").then().statusCode(200);
    }

    @Test
    void takesAsManyBytesAsTheLimitAllowsAndNotOneMore() {
        project.push("large.py", 0, "l".repeat(SmallLimits.BYTES - 2)).then().statusCode(200);

        project.push("small.py", 0, "1").then().statusCode(200);
        project.push("small.py", 1, "12").then().statusCode(200);
        refused(project.push("small.py", 2, "123"), "project_bytes_max", SmallLimits.BYTES, SmallLimits.BYTES + 1);
        refused(project.push("other.py", 0, "1"), "project_bytes_max", SmallLimits.BYTES, SmallLimits.BYTES + 1);

        project.push("empty.py", 0, "").then().statusCode(200);
        project.push("large.py", 1, "l").then().statusCode(200);
        project.push("small.py", 2, "123").then().statusCode(200);
        assertThat(files()).containsExactly("empty.py", "large.py", "small.py");
    }

    @Test
    void givesTheLastPlaceToOneOfTwoCommittersOnly() throws Exception {
        for (int file = 1; file < SmallLimits.FILES; file++) {
            project.push("file" + file + ".py", 0, "x").then().statusCode(200);
        }
        for (int round = 0; round < 5; round++) {
            String first = project.upload("first" + round + ".py", 0, "1");
            String second = project.upload("second" + round + ".py", 0, "2");

            try (ExecutorService both = Executors.newFixedThreadPool(2)) {
                List<Callable<Integer>> commits = List.of(
                        () -> project.commit(first).statusCode(),
                        () -> project.commit(second).statusCode());
                assertThat(both.invokeAll(commits).stream()
                                .map(Future::resultNow)
                                .toList())
                        .containsExactlyInAnyOrder(200, 400);
            }
            assertThat(files()).hasSize(SmallLimits.FILES);
            String winner = files().stream()
                    .filter(path -> !path.startsWith("file"))
                    .findFirst()
                    .orElseThrow();
            project.as().delete(project.base() + "/files/" + winner).then().statusCode(200);
        }
    }

    /** Seen to fail: without the check at the signing, uploads that nobody committed were taken without end. */
    @Test
    void takesNoMoreBytesThatAreNotCommittedThanTheLimitAllows() {
        int size = SmallLimits.UNCOMMITTED / 3;
        String kept = project.upload("kept.py", 0, "k".repeat(size));
        // What was announced counts as what came.
        project.sign("announced.py", 0, bytes(size)).then().statusCode(200);
        project.sign("last.py", 0, bytes(size)).then().statusCode(200);

        Response refused = project.sign("one-more.py", 0, bytes(1));
        refused.then().statusCode(409);
        assertThat(refused.<String>path("error.code")).isEqualTo("QUOTA_EXCEEDED");
        assertThat(refused.<String>path("error.details.quota")).isEqualTo("uploads_bytes");
        assertThat(refused.<Integer>path("error.details.max")).isEqualTo(SmallLimits.UNCOMMITTED);
        project.sign("empty.py", 0, bytes(0)).then().statusCode(200);

        project.commit(kept).then().statusCode(200);
        project.sign("one-more.py", 0, bytes(size)).then().statusCode(200);
        project.sign("another.py", 0, bytes(1)).then().statusCode(409);
    }

    private static byte[] bytes(int size) {
        return "x".repeat(size).getBytes(StandardCharsets.UTF_8);
    }

    private List<String> files() {
        return project.manifest().path("files.path");
    }

    private static void refused(Response answer, String limit, int maximum, int found) {
        answer.then().statusCode(400);
        assertThat(answer.<String>path("error.code")).isEqualTo("FILE_LIMIT");
        assertThat(answer.<String>path("error.details.limit")).isEqualTo(limit);
        assertThat(answer.<Integer>path("error.details.maximum")).isEqualTo(maximum);
        assertThat(answer.<Integer>path("error.details.found")).isEqualTo(found);
    }
}
