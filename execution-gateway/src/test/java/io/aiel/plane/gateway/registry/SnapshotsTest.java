package io.aiel.plane.gateway.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import io.restassured.response.Response;
import jakarta.inject.Inject;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(FakeValidator.Profile.class)
class SnapshotsTest {
    private static final String ENTRY = "entry_point.py";

    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    @Inject
    CapabilityRegistry registry;

    @Inject
    FakeValidator validator;

    TestProject project;

    @BeforeEach
    void makeProject() throws SQLException {
        project = TestProject.create(database, policy);
        validator.available = true;
    }

    @Test
    void sealsValidatesAndDeploysAQuietTreeByItself() {
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);

        awaitTrue(() -> !deployments().isEmpty());

        Response list = get("/snapshots");
        assertThat(list.<List<String>>path("items.status")).containsExactly("valid");
        assertThat(get("/deployments").<List<String>>path("items.digest"))
                .isEqualTo(list.<List<String>>path("items.digest"));
        assertThat(get("/capabilities?kind=tool&tag=greeting&q=HELLO").<List<String>>path("items.name"))
                .containsExactly("greet");
        assertThat(get("/capabilities/tool/greet").<String>path("file")).isEqualTo(ENTRY);
    }

    @Test
    void resolvesWhatWasPushedJustBeforeWithoutWaitingForQuiet() {
        project.push(ENTRY, 0, "# tool: first\n").then().statusCode(200);
        assertThat(resolve("first")).isInstanceOf(Resolution.Found.class);

        project.push(ENTRY, 1, "# tool: second\n").then().statusCode(200);

        assertThat(resolve("second")).isInstanceOf(Resolution.Found.class);
        assertThat(resolve("first")).isInstanceOf(Resolution.UnknownCapability.class);
    }

    /** Seen to fail: without {@code Trees.toBeSealedAnew} there is no second snapshot. */
    @Test
    void sealsTheSameFilesAnewUnderARuntimeThatTheProjectChoosesLater() {
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);
        awaitTrue(() -> !deployments().isEmpty());

        Response chosen = put("/settings", "{\"runtime\":\"ai\"}");

        assertThat(chosen.statusCode()).as(chosen.asString()).isEqualTo(200);
        awaitTrue(() -> get("/snapshots").<List<String>>path("items.bundle").equals(List.of("ai", "fake")));
        awaitTrue(() -> deployments().size() == 2);
        assertThat(put("/settings", "{\"runtime\":\"ai\",\"worker_api\":true}").statusCode())
                .isEqualTo(200);
        assertThat(resolve("greet")).isInstanceOf(Resolution.Found.class);
        assertThat(get("/snapshots").<List<String>>path("items.bundle")).containsExactly("ai", "fake");
    }

    @Test
    void refusesARuntimeThatIsNoBundle() {
        for (String wrong : List.of("\"Not A Name\"", "7", "\"../minimal\"", "null")) {
            Response refused = put("/settings", "{\"runtime\":" + wrong + "}");

            assertThat(refused.statusCode()).as(wrong).isEqualTo(400);
            assertThat(refused.asString()).contains("/runtime", "the name of a worker bundle");
        }
    }

    @Test
    void keepsARejectedSnapshotWithItsFindingsAndLeavesTheEnvironmentAsItWas() {
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);
        Digest good = found(resolve("greet"));
        project.push(ENTRY, 1, "BROKEN\n").then().statusCode(200);

        Digest after = found(resolve("greet"));

        assertThat(after).isEqualTo(good);
        Response list = get("/snapshots");
        assertThat(list.<List<String>>path("items.status")).containsExactly("rejected", "valid");
        assertThat(list.<String>path("items[0].findings[0].file")).isEqualTo(ENTRY);
        assertThat(list.<Integer>path("items[0].findings[0].line")).isEqualTo(3);
        assertThat(post("/deployments", deploy(list.path("items[0].digest"))).statusCode())
                .isEqualTo(422);
    }

    @Test
    void saysWhyNothingIsDeployedWhenTheOnlySnapshotWasRejected() {
        project.push(ENTRY, 0, "BROKEN\n").then().statusCode(200);

        Resolution nothing = resolve("greet");

        assertThat(nothing)
                .isEqualTo(new Resolution.NothingDeployed("production", List.of("entry_point.py:3: it is broken")));
    }

    @Test
    void makesNoSecondSnapshotOfTheSameContentAndDeploysTheOldOneAgain() {
        project.push(ENTRY, 0, "# tool: a\n").then().statusCode(200);
        Digest first = found(resolve("a"));
        project.push(ENTRY, 1, "# tool: b\n").then().statusCode(200);
        found(resolve("b"));

        project.push(ENTRY, 2, "# tool: a\n").then().statusCode(200);

        assertThat(found(resolve("a"))).isEqualTo(first);
        assertThat(get("/snapshots").<List<String>>path("items.digest")).hasSize(2);
        assertThat(deployments()).hasSize(3);
    }

    @Test
    void leavesATreeUnsealedWhileValidationCannotBeHadAndSealsItLater() {
        validator.available = false;
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);
        assertThat(resolve("greet")).isInstanceOf(Resolution.ValidationUnavailable.class);
        assertThat(get("/snapshots").<List<String>>path("items.digest")).isEmpty();

        validator.available = true;

        assertThat(resolve("greet")).isInstanceOf(Resolution.Found.class);
    }

    @Test
    void rollsBackStepByStepAndDeploysByName() {
        project.push(ENTRY, 0, "# tool: a\n").then().statusCode(200);
        Digest a = found(resolve("a"));
        project.push(ENTRY, 1, "# tool: b\n").then().statusCode(200);
        Digest b = found(resolve("b"));
        project.push(ENTRY, 2, "# tool: c\n").then().statusCode(200);
        found(resolve("c"));

        assertThat(rollback().<String>path("digest")).isEqualTo(b.value());
        assertThat(found(resolve("b"))).isEqualTo(b);
        assertThat(rollback().<String>path("digest")).isEqualTo(a.value());
        assertThat(rollback().statusCode()).isEqualTo(409);
        assertThat(post("/deployments", deploy(b.value())).statusCode()).isEqualTo(201);
        assertThat(found(resolve("b"))).isEqualTo(b);
    }

    @Test
    void showsASnapshotWithAManifestThatHasItsDigestAndComparesTwo() {
        project.push(ENTRY, 0, "# tool: a\n").then().statusCode(200);
        Digest first = found(resolve("a"));
        project.push(ENTRY, 1, "# tool: b\n").then().statusCode(200);
        project.push("lib/x.py", 0, "x").then().statusCode(200);
        Digest second = found(resolve("b"));

        String detail = get("/snapshots/" + second.value()).asString();
        String manifest = detail.substring(detail.indexOf("\"manifest\":") + 11, detail.length() - 1);

        assertThat(Digest.of(manifest)).isEqualTo(second);
        Response diff = get("/snapshots/" + first.value() + "/diff/" + second.value());
        assertThat(diff.<List<String>>path("added")).containsExactly("lib/x.py");
        assertThat(diff.<List<String>>path("changed")).containsExactly(ENTRY);
        assertThat(diff.<List<String>>path("removed")).isEmpty();
        assertThat(get("/snapshots/sha256:" + "0".repeat(64)).statusCode()).isEqualTo(404);
    }

    @Test
    void sealsOnDemandOverHttpAndRefusesAProjectThatNeverHadAFile() {
        assertThat(post("/snapshots", "").statusCode()).isEqualTo(409);
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);

        Response sealed = post("/snapshots", "");
        Response again = post("/snapshots", "");

        assertThat(sealed.<String>path("status")).isEqualTo("valid");
        assertThat(again.statusCode()).isEqualTo(200);
        assertThat(again.<String>path("digest")).isEqualTo(sealed.<String>path("digest"));
    }

    private Resolution resolve(String tool) {
        return registry.resolve(
                        project.scope(),
                        new Target.Environment("production"),
                        Optional.of(new CapabilityRef(CapabilityKind.TOOL, tool)))
                .await()
                .atMost(Duration.ofSeconds(60));
    }

    private static Digest found(Resolution resolution) {
        assertThat(resolution).isInstanceOf(Resolution.Found.class);
        return ((Resolution.Found) resolution).capability().snapshot().digest();
    }

    private Response get(String path) {
        return project.as().get(project.base() + path);
    }

    private Response put(String path, String body) {
        return project.as().contentType("application/json").body(body).put(project.base() + path);
    }

    private Response post(String path, String body) {
        return project.as().contentType("application/json").body(body).post(project.base() + path);
    }

    private Response rollback() {
        return post("/environments/production:rollback", "{}");
    }

    private static String deploy(String snapshot) {
        return "{\"environment\":\"production\",\"snapshot\":\"" + snapshot + "\"}";
    }

    private List<String> deployments() {
        return get("/deployments").path("items.deployment_id");
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("it did not come true in time").isLessThan(deadline);
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
        }
    }
}
