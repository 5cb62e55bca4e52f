package io.aiel.plane.gateway.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.RegistryJournal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.registry.files.FileStore;
import io.aiel.plane.registry.files.RegistrySweep;
import io.aiel.plane.registry.snapshot.CurrentChanged;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.registry.snapshot.SealOutcome;
import io.aiel.plane.registry.snapshot.SnapshotSealer;
import io.aiel.plane.registry.snapshot.SnapshotStore;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectId;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import io.restassured.response.Response;
import io.vertx.core.Vertx;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Seals when nodes die, when two want the same one, when files change meanwhile, and when a worker lies. */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
@TestProfile(FakeValidator.Profile.class)
class SealingTest {
    private static final String ENTRY = "entry_point.py";

    @Inject
    DataSource database;

    @Inject
    PolicyEngine policy;

    @Inject
    FakeValidator validator;

    @Inject
    SnapshotSealer thisNode;

    @Inject
    Transactions transactions;

    @Inject
    RegistryConfig config;

    @Inject
    RegistryJournal journal;

    @Inject
    SnapshotStore store;

    @Inject
    FileStore files;

    @Inject
    Deployments deployments;

    @Inject
    Event<CurrentChanged> changes;

    @Inject
    RegistrySweep sweep;

    @Inject
    Vertx vertx;

    TestProject project;

    @BeforeEach
    void makeProject() throws SQLException {
        project = TestProject.create(database, policy);
        validator.available = true;
    }

    @Test
    void sealsWhatANodeThatDiedLeftBehindWhenItsLeaseHasRunOut() {
        project.push(ENTRY, 0, "# tool: old\n").then().statusCode(200);
        awaitTrue(this::sealed);
        update("UPDATE project_trees SET lease = 'lease_of_the_dead', lease_until = clock_timestamp()"
                + " + interval '3 seconds' WHERE project_id = ?");
        project.push(ENTRY, 1, "# tool: new\n").then().statusCode(200);

        int looks = 0;
        while (is("SELECT lease = 'lease_of_the_dead' AND clock_timestamp() < lease_until - interval '100 milliseconds'"
                + " FROM project_trees WHERE project_id = ?")) {
            assertThat(sealed()).as("sealed while another node held the lease").isFalse();
            looks++;
            LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
        }

        assertThat(looks).as("looks while the lease was held").isPositive();
        awaitTrue(this::sealed);
        assertThat(get("/capabilities").<List<String>>path("items.name")).containsExactly("new");
    }

    /**
     * The change is there, and the timer that should have sealed it is gone: as after a crash before the quiet period ended.
     */
    @Test
    void sealsAChangeWhoseTimerNeverCame() {
        project.sign("pending.py", 0, new byte[] {1}).then().statusCode(200);
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);
        // The open upload held the seal back when the timer came.
        awaitTrue(() -> is("SELECT clock_timestamp() > seal_after + interval '1 second' FROM project_trees"
                + " WHERE project_id = ?"));
        assertThat(sealed()).isFalse();

        update("UPDATE uploads SET touched_at = touched_at - interval '1 hour' WHERE project_id = ?");

        awaitTrue(this::sealed);
        assertThat(get("/deployments").<List<String>>path("items.digest")).hasSize(1);
    }

    @Test
    void isDoneByOneOfTwoNodesAndBothHearOfIt() throws Exception {
        SnapshotSealer otherNode =
                new SnapshotSealer(transactions, config, journal, validator, store, files, deployments, changes, vertx);
        CompletableFuture<Void> released = hold();
        project.push(ENTRY, 0, "# tool: greet\n").then().statusCode(200);

        CompletableFuture<SealOutcome> here =
                thisNode.seal(project.scope(), false).subscribeAsCompletionStage();
        CompletableFuture<SealOutcome> there =
                otherNode.seal(project.scope(), false).subscribeAsCompletionStage();
        awaitTrue(() -> validations() > 0);
        // Far more time than the other node takes between two tries.
        long until = System.nanoTime() + Duration.ofSeconds(1).toNanos();
        while (System.nanoTime() < until) {
            assertThat(validations()).isEqualTo(1);
            assertThat(get("/snapshots").<List<String>>path("items.digest")).isEmpty();
        }
        released.complete(null);

        SealOutcome one = here.get(60, TimeUnit.SECONDS);
        SealOutcome other = there.get(60, TimeUnit.SECONDS);
        assertThat(one).isInstanceOf(SealOutcome.Sealed.class);
        assertThat(other).isInstanceOf(SealOutcome.Sealed.class);
        assertThat(((SealOutcome.Sealed) one).snapshot().ref())
                .isEqualTo(((SealOutcome.Sealed) other).snapshot().ref());
        assertThat(validations()).isEqualTo(1);
        assertThat(get("/snapshots").<List<String>>path("items.digest")).hasSize(1);
        assertThat(get("/deployments").<List<String>>path("items.digest")).hasSize(1);
    }

    @Test
    void isOfOneRevisionWhenFilesChangeMeanwhileAndTheRestIsSealedNext() {
        project.push("lib.py", 0, "before").then().statusCode(200);
        CompletableFuture<Void> released = hold();
        project.push(ENTRY, 0, "# tool: before\n").then().statusCode(200);
        awaitTrue(() -> validations() > 0 && is("SELECT lease IS NOT NULL FROM project_trees WHERE project_id = ?"));

        project.push("lib.py", 1, "after").then().statusCode(200);
        project.push(ENTRY, 1, "# tool: after\n").then().statusCode(200);
        project.push("more.py", 0, "after").then().statusCode(200);
        released.complete(null);
        awaitTrue(this::sealed);

        List<String> snapshots = get("/snapshots").path("items.digest");
        Response newest = get("/snapshots/" + snapshots.getFirst());
        Response one = get("/snapshots/" + snapshots.getLast());
        assertThat(digests(newest)).containsExactly(hash("# tool: after\n"), hash("after"), hash("after"));
        assertThat(digests(one)).isIn(List.of(hash("# tool: before\n"), hash("before")), List.of(hash("before")));
        assertThat(snapshots)
                .as("every snapshot is the tree at one time")
                .allSatisfy(snapshot -> assertThat(digests(get("/snapshots/" + snapshot)))
                        .isIn(
                                List.of(hash("before")),
                                List.of(hash("# tool: before\n"), hash("before")),
                                List.of(hash("# tool: before\n"), hash("after")),
                                List.of(hash("# tool: after\n"), hash("after")),
                                List.of(hash("# tool: after\n"), hash("after"), hash("after"))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense",
                "{}",
                "[null]",
                "[{\"kind\":\"tool\"}]",
                "[{\"kind\":\"tool\",\"name\":{}}]",
                "[{\"kind\":\"tool\",\"name\":\"a\"},{\"kind\":\"tool\",\"name\":\"a\"}]",
                "[{\"kind\":\"tool\",\"name\":\"good\"},{\"kind\":\"tool\",\"name\":\"bad\\u0000\"}]",
                "[{\"kind\":\"tool\",\"name\":\"good\"},{\"kind\":\"tool\",\"name\":\"a\",\"input_schema\":{\"maximum\":1e999}}]"
            })
    void rejectsATreeWhoseWorkerReportsExportsThatAreNoneAndRegistersNothingOfThem(String exports) {
        project.push(ENTRY, 0, FakeValidator.EXPORTS + exports).then().statusCode(200);

        Response sealed = project.as().contentType("application/json").body("").post(project.base() + "/snapshots");

        assertThat(sealed.statusCode()).as(sealed.asString()).isLessThan(500);
        awaitTrue(this::sealed);
        Response list = get("/snapshots");
        assertThat(list.<List<String>>path("items.status")).containsExactly("rejected");
        assertThat(list.<String>path("items[0].findings[0].code")).isEqualTo("EXPORTS_INVALID");
        assertThat(get("/deployments").<List<String>>path("items.digest")).isEmpty();
        assertThat(is("SELECT count(*) = 0 FROM capabilities c JOIN snapshots s ON s.id = c.snapshot WHERE"
                        + " s.project_id = ?"))
                .isTrue();
    }

    @Test
    void keepsTheBlobsOfASnapshotWhoseFilesAreGone() {
        String content = "# tool: kept " + project.scope().project().value() + "\n";
        project.push(ENTRY, 0, content).then().statusCode(200);
        awaitTrue(this::sealed);
        project.as().delete(project.base() + "/files/" + ENTRY).then().statusCode(200);
        update("UPDATE uploads SET expires_at = now() - interval '1 day' WHERE project_id = ?");
        update("UPDATE blobs SET stored_at = now() - interval '9 days' WHERE digest IN (SELECT f.digest FROM"
                + " snapshot_files f JOIN snapshots s ON s.id = f.snapshot WHERE s.project_id = ?)");

        RegistrySweep.Swept swept = sweep.run().await().atMost(Duration.ofSeconds(20));

        assertThat(swept.uploads()).isPositive();
        byte[] kept = store.blob(Digest.of(content)).await().atMost(Duration.ofSeconds(20));
        assertThat(kept).asString().isEqualTo(content);
    }

    private CompletableFuture<Void> hold() {
        CompletableFuture<Void> released = new CompletableFuture<>();
        validator.held.put(project.scope().project(), released);
        return released;
    }

    private int validations() {
        ProjectId id = project.scope().project();
        return validator.validationsOf.getOrDefault(id, new AtomicInteger()).get();
    }

    private static String hash(String content) {
        return Digest.of(content).value();
    }

    private static List<String> digests(Response snapshot) {
        return snapshot.path("manifest.files.digest");
    }

    private boolean sealed() {
        return is("SELECT revision > 0 AND revision = sealed_revision FROM project_trees WHERE project_id = ?");
    }

    private Response get(String path) {
        return project.as().get(project.base() + path);
    }

    private boolean is(String sql) {
        try (Connection connection = database.getConnection();
                var statement = connection.prepareStatement(sql)) {
            statement.setString(1, project.scope().project().value());
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() && rows.getBoolean(1);
            }
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    private void update(String sql) {
        try (Connection connection = database.getConnection();
                var statement = connection.prepareStatement(sql)) {
            statement.setString(1, project.scope().project().value());
            assertThat(statement.executeUpdate()).isPositive();
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("it did not come true in time").isLessThan(deadline);
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
        }
    }
}
