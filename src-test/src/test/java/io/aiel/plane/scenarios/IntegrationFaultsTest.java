package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.EmbeddedStores;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is left of a call of an outside system when the server is killed in the middle of it. */
class IntegrationFaultsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String PASSWORD = "outside-" + Long.toHexString(System.nanoTime());

    private static PackagedPlane plane;

    @BeforeAll
    static void start() {
        plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings(
                "plane.integration.private-hosts=127.0.0.1",
                "plane.integration.call-timeout=8S",
                "plane.integration.look-every=1S"));
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    private static int port(Connection database) throws SQLException {
        return Integer.parseInt(database.getMetaData().getURL().replaceFirst(".*:(\\d+)/.*", "$1"));
    }

    /** How many statements of the plane's role outside wait for a lock. */
    private static long waiting(Connection database) {
        try (Statement statement = database.createStatement();
                ResultSet found = statement.executeQuery(
                        "select count(*) from pg_stat_activity where usename = 'outside' and wait_event_type = 'Lock'")) {
            found.next();
            return found.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The table is locked by somebody else, so the insert has left and waits. */
    @Test
    void saysThatItDoesNotKnowHowACallEndedWhoseServerWasKilled() throws Exception {
        Project project = plane.newWorkspaceWithProject("faults");
        String connection;
        try (Connection database = new EmbeddedStores(plane).database();
                Connection holder = new EmbeddedStores(plane).database();
                Statement statement = database.createStatement();
                Statement held = holder.createStatement()) {
            statement.execute("create role outside login password '" + PASSWORD + "'");
            statement.execute("create schema outside authorization outside");
            statement.execute("create table outside.payments (id int primary key)");
            statement.execute("alter table outside.payments owner to outside");
            connection = project.connection(
                    "postgres",
                    Map.of(
                            "host",
                            "127.0.0.1",
                            "port",
                            port(database),
                            "database",
                            "plane",
                            "user",
                            "outside",
                            "ssl",
                            "disable"),
                    List.of("postgres.insert"),
                    Map.of("password", PASSWORD));
            holder.setAutoCommit(false);
            held.execute("lock table outside.payments in access exclusive mode");
            Thread.ofVirtual().start(() -> pay(project, connection));
            Waiting.until(LIMIT, () -> waiting(database), count -> count == 1, "the call to have left");

            assertThat(plane.signal("KILL")).isNotZero();
        }
        plane.startAgain();
        Project again = new Project(plane.client(), project.workspace(), project.id());

        Answer answer = Waiting.until(
                LIMIT,
                () -> pay(again, connection),
                one -> one.errorCode().equals("ACTION_OUTCOME_UNKNOWN"),
                "the sweep");

        assertThat(answer.status()).isEqualTo(409);
        List<JsonNode> ends = Waiting.until(
                LIMIT,
                () -> new Audit(again.client())
                                .records("order=oldest&project=" + again.id()
                                        + "&type=io.aiel.plane.integration.answered.v1")
                                .stream()
                                .filter(one -> one.at("/event/data/connection_id")
                                        .asText()
                                        .equals(connection))
                                .toList(),
                found -> !found.isEmpty(),
                "its record");
        assertThat(ends)
                .singleElement()
                .satisfies(
                        one -> assertThat(one.at("/event/data/status").asText()).isEqualTo("unknown"));
    }

    private static Answer pay(Project project, String connection) {
        return project.client()
                .post(
                        project.path() + "/integrations/" + connection + "/action/postgres.insert:invoke",
                        Map.of(
                                "params",
                                Map.of(
                                        "table",
                                        "outside.payments",
                                        "values",
                                        Map.of("id", 1),
                                        "idempotency_key",
                                        "payment-1")));
    }
}
