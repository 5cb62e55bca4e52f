package io.aiel.plane.gateway.registry;

import static io.restassured.RestAssured.given;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.vocabulary.Digest;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class FilesTest {
    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    TestProject project;

    @BeforeAll
    static void showRefusals() {
        RestAssured.enableLoggingOfRequestAndResponseIfValidationFails();
    }

    @BeforeEach
    void makeProject() throws SQLException {
        project = TestProject.create(database, policy);
    }

    @Test
    void keepsWhatWasPushedAndGivesItBackByASignedUrl() {
        Response committed = project.push("pkg/tools ü.py", 0, "x = 1\n");

        committed.then().statusCode(200);
        assertThat(committed.<Integer>path("version")).isEqualTo(1);
        assertThat(committed.jsonPath().getMap("$")).doesNotContainKey("ok");
        assertThat(project.manifest().<List<String>>path("files.path")).containsExactly("pkg/tools ü.py");
        assertThat(project.manifest().<String>path("files[0].sha256"))
                .isEqualTo(Digest.of("x = 1\n").hex());
        assertThat(download("pkg/tools ü.py").asByteArray()).isEqualTo("x = 1\n".getBytes(UTF_8));
    }

    @Test
    void countsVersionsOnThroughADeletionSoThatAnOldExpectationNeverFits() {
        project.push("a.py", 0, "1").then().statusCode(200);
        project.as().delete(project.base() + "/files/a.py").then().statusCode(200);

        Response again = project.push("a.py", 0, "2");

        assertThat(again.<Integer>path("version")).isEqualTo(3);
        assertThat(project.sign("a.py", 1, "3".getBytes(UTF_8)).statusCode()).isEqualTo(409);
    }

    @Test
    void acceptsARepeatedPushOfTheSameBytesWithTheSameExpectedVersionAndChangesNothing() {
        project.push("a.py", 0, "same").then().statusCode(200);

        Response repeated = project.push("a.py", 0, "same");

        repeated.then().statusCode(200);
        assertThat(repeated.<Integer>path("version")).isEqualTo(1);
        assertThat(repeated.<Boolean>path("changed")).isFalse();
    }

    @Test
    void refusesAStaleExpectedVersionAndSaysWhatItFound() {
        project.push("a.py", 0, "mine").then().statusCode(200);

        Response stale = project.sign("a.py", 0, "other".getBytes(UTF_8));

        stale.then().statusCode(409);
        assertThat(stale.<String>path("error.code")).isEqualTo("VERSION_CONFLICT");
        assertThat(stale.<Integer>path("error.details.expected_version")).isEqualTo(0);
        assertThat(stale.<Integer>path("error.details.found_version")).isEqualTo(1);
    }

    @Test
    void letsExactlyOneOfTwoCommittersOfTheSameFileWin() throws Exception {
        for (int round = 0; round < 5; round++) {
            String path = "race" + round + ".py";
            String first = project.upload(path, 0, "first");
            String second = project.upload(path, 0, "second");

            try (ExecutorService both = Executors.newFixedThreadPool(2)) {
                List<Callable<Integer>> commits = List.of(
                        () -> project.commit(first).statusCode(),
                        () -> project.commit(second).statusCode());
                List<Integer> statuses =
                        both.invokeAll(commits).stream().map(Future::resultNow).toList();

                assertThat(statuses).containsExactlyInAnyOrder(200, 409);
            }
        }
    }

    @Test
    void deletesOnceAndAcceptsARepetitionButKnowsNothingOfAPathThatNeverWas() {
        project.push("dir/a.py", 0, "1").then().statusCode(200);

        Response first = project.as().delete(project.base() + "/files/dir/a.py");
        Response second = project.as().delete(project.base() + "/files/dir/a.py");
        Response never = project.as().delete(project.base() + "/files/dir/b.py");

        assertThat(first.<Boolean>path("deleted")).isTrue();
        assertThat(second.<Boolean>path("deleted")).isFalse();
        assertThat(never.statusCode()).isEqualTo(404);
        assertThat(project.manifest().<List<String>>path("files.path")).isEmpty();
    }

    @Test
    void refusesBytesThatAreNotThoseThatWereSigned() {
        Response signed = project.sign("a.py", 0, "right".getBytes(UTF_8));
        String url = signed.path("signed_url");

        assertThat(TestProject.put(url, "wrong".getBytes(UTF_8)).<String>path("error.code"))
                .isEqualTo("DIGEST_MISMATCH");
        assertThat(TestProject.put(url, "right and more".getBytes(UTF_8)).<String>path("error.code"))
                .isEqualTo("DIGEST_MISMATCH");
        assertThat(project.commit(signed.path("upload_id")).statusCode()).isEqualTo(409);
        assertThat(project.manifest().<List<String>>path("files.path")).isEmpty();
    }

    @Test
    void refusesASignedUrlForAnotherUploadMethodPathOrTime() {
        byte[] bytes = "1".getBytes(UTF_8);
        String one = project.sign("a.py", 0, bytes).path("signed_url");
        String other = project.sign("a.py", 0, bytes).path("signed_url");
        String swapped = other.substring(0, other.indexOf('?')) + one.substring(one.indexOf('?'));

        for (String url : List.of(
                swapped,
                one.replace("path=a.py", "path=b.py"),
                one.replaceAll("expires=\\d+", "expires=99999999999"),
                one.substring(0, one.length() - 1) + (one.endsWith("0") ? "1" : "0"),
                one.replaceAll("&signature=.*", ""))) {
            Response refused = TestProject.put(url, bytes);
            assertThat(refused.statusCode()).as(url).isEqualTo(403);
            assertThat(refused.<String>path("error.code")).isEqualTo("SIGNED_URL_INVALID");
        }
        assertThat(given().urlEncodingEnabled(false).get(one).statusCode()).isEqualTo(405);
        assertThat(TestProject.put(one, bytes).statusCode()).isEqualTo(200);
    }

    @Test
    void refusesAnUploadThatExpired() throws SQLException {
        byte[] bytes = "1".getBytes(UTF_8);
        Response signed = project.sign("a.py", 0, bytes);
        TestProject.put(signed.path("signed_url"), bytes).then().statusCode(200);
        try (Connection connection = database.getConnection();
                var statement = connection.createStatement()) {
            statement.executeUpdate("UPDATE uploads SET expires_at = now() - interval '1 second' WHERE project_id = '"
                    + project.scope().project().value() + "'");
        }

        assertThat(TestProject.put(signed.path("signed_url"), bytes).statusCode())
                .isEqualTo(403);
        assertThat(project.commit(signed.path("upload_id")).statusCode()).isEqualTo(409);
    }

    @ParameterizedTest
    @ValueSource(strings = {"../a.py", "/etc/passwd", "a//b.py", ".git/config", "a\\b.py", "a\nb", "x/../y"})
    void refusesPathsThatNoFileMayHave(String path) {
        Response refused = project.sign(path, 0, new byte[] {1});

        refused.then().statusCode(400);
        assertThat(refused.<String>path("error.code")).isEqualTo("INVALID_PATH");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PKG/b.py", "pkg/A.py", "pkg", "pkg/a.py/c.py", "Pkg/deep/er.py"})
    void refusesAPathThatCannotLieBesideTheOthers(String path) {
        project.push("pkg/a.py", 0, "1").then().statusCode(200);

        Response refused = project.push(path, 0, "2");

        refused.then().statusCode(400);
        assertThat(refused.<String>path("error.code")).isEqualTo("INVALID_PATH");
        assertThat(refused.<String>path("error.details.collides_with")).isEqualTo("pkg/a.py");
    }

    @Test
    void refusesAFileLargerThanTheLimitBeforeItIsSent() {
        Response refused = project.as()
                .contentType("application/json")
                .body("{\"content_type\":\"text/plain\",\"expected_version\":0,\"size_bytes\":10485761,\"sha256\":\""
                        + "0".repeat(64) + "\"}")
                .post(project.base() + "/uploads:sign?path=big.bin");

        refused.then().statusCode(400);
        assertThat(refused.<String>path("error.code")).isEqualTo("FILE_LIMIT");
    }

    @Test
    void carriesTheLargestFileThroughUnchanged() {
        byte[] bytes = new byte[10_485_760];
        new java.util.Random(7).nextBytes(bytes);
        Response signed = project.sign("big.bin", 0, bytes);
        TestProject.put(signed.path("signed_url"), bytes).then().statusCode(200);
        project.commit(signed.path("upload_id")).then().statusCode(200);

        assertThat(Digest.of(download("big.bin").asByteArray())).isEqualTo(Digest.of(bytes));
    }

    @Test
    void keepsAnotherTenantsProjectAndUploadsUnknown() throws SQLException {
        TestProject stranger = TestProject.create(database, policy);
        String upload = project.upload("a.py", 0, "1");

        Response foreign = stranger.commit(upload);
        Response unknown = stranger.commit(stranger.scope().workspace().value() + "~"
                + stranger.scope().project().value() + "~" + upload.substring(upload.lastIndexOf('~') + 1));

        assertThat(foreign.statusCode()).isEqualTo(404);
        assertThat(unknown.statusCode()).isEqualTo(404);
        assertThat(foreign.asString()).isEqualTo(unknown.asString());
        assertThat(stranger.as().get(project.base() + "/files").statusCode()).isEqualTo(404);
    }

    private Response download(String path) {
        Response signed = project.as()
                .contentType("application/json")
                .body("{\"expires_seconds\": 60}")
                .post(project.base() + "/downloads:sign?path=" + TestProject.encode(path));
        signed.then().statusCode(200);
        return given().urlEncodingEnabled(false).get(signed.<String>path("signed_url"));
    }
}
