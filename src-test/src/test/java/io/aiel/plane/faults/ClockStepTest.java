package io.aiel.plane.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aiel.plane.faults.Ledger.Call;
import io.aiel.plane.faults.Ledger.Heard;
import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A server's clock is set back an hour, and forward again, while it works. The machine's own clock stays: a copy of the plane gives its parts a
 * clock that is an hour late for as long as a file is there. What has a clock of its own (ids, files, seals) does not see the step. In the long form
 * only, as it needs a plane of its own. What runs through the first step has an end that is dated before its begin in the log, and nothing else has.
 *
 * <p>Meant to fail: with a deadline that is reckoned by that clock, what runs through the second step would be timed out at it.
 */
@Tag("faults")
class ClockStepTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int CALLS = 50;

    private final Ledger ledger = new Ledger();
    private int number;

    @Test
    void goesOnWhenItsClockIsSetBackAnHourAndForwardAgain() throws Exception {
        assumeThat(Form.current())
                .as("copies of the plane run in the long form")
                .isEqualTo(Form.LONG);
        Path witness = Load.newWitness();
        Path late = witness.resolveSibling("late");
        try (Mutant mutant = new Mutant(
                        "io/aiel/plane/gateway/app/ControlAssembly.java",
                        "return Clock.systemUTC();",
                        lateWhileThereIs(late));
                Backends backends = Backends.start();
                PackagedPlane plane = PackagedPlane.start(
                        backends.options().with("--isolation", "none").from(mutant.home()));
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Project project = plane.newProject("clock");
            project.push(Load.CODE);
            callAll(project, witness);

            Future<Call> throughTheFirst = runningCall(threads, project, backends, "first", witness);
            Files.createFile(late);
            callAll(project, witness);
            assertThat(throughTheFirst.get().heard()).satisfies(ClockStepTest::isGood);
            assertThat(began(backends))
                    .as("the server believes that it is an hour ago")
                    .isBetween(3_000L, 3_700L);

            Future<Call> throughTheSecond = runningCall(threads, project, backends, "second", witness);
            Files.delete(late);
            callAll(project, witness);
            assertThat(throughTheSecond.get().heard()).satisfies(ClockStepTest::isGood);

            Oracle.awaitQuiet(backends, LIMIT);
            Oracle.Verdict verdict = Oracle.judge(ledger, Optional.of(Load.seen(witness)), backends);
            // Records say what the clock said, and their sequence what came after what.
            assertThat(verdict.problems())
                    .as(verdict.toString())
                    .containsExactly("execution/%s goes back in time at 4".formatted(execution(throughTheFirst.get())));
        } finally {
            Files.deleteIfExists(late);
        }
    }

    private static String lateWhileThereIs(Path file) {
        return """
                return new Clock() {
                    @Override
                    public java.time.Instant instant() {
                        boolean late = java.nio.file.Files.exists(java.nio.file.Path.of("%s"));
                        return java.time.Instant.now().minusSeconds(late ? 3600 : 0);
                    }

                    @Override
                    public java.time.ZoneId getZone() {
                        return java.time.ZoneOffset.UTC;
                    }

                    @Override
                    public Clock withZone(java.time.ZoneId zone) {
                        return this;
                    }
                };
                """.formatted(file);
    }

    private void callAll(Project project, Path witness) {
        for (int i = 0; i < CALLS; i++) {
            Call call = Load.call(project, "clock", number++, 0, false, witness.toString());
            ledger.add(call);
            assertThat(call.heard()).satisfies(ClockStepTest::isGood);
        }
    }

    /** A call that takes long enough for the step to come while it runs. */
    private Future<Call> runningCall(
            ExecutorService threads, Project project, Backends backends, String caller, Path witness) {
        Future<Call> call = threads.submit(() -> {
            Call heard = Load.call(project, caller, 0, 5_000, false, witness.toString());
            ledger.add(heard);
            return heard;
        });
        Waiting.until(
                LIMIT,
                () -> number(backends, "SELECT count(*) FROM executions WHERE status = 'running'"),
                count -> count == 1,
                "a running execution");
        return call;
    }

    /** How many seconds before now by PostgreSQL's clock the newest execution was requested, as its row says. */
    private static long began(Backends backends) {
        return number(
                backends,
                "SELECT extract(epoch FROM now() - requested_at)::bigint FROM executions ORDER BY id DESC LIMIT 1");
    }

    private static long number(Backends backends, String question) {
        try (Connection connection = backends.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(question)) {
            row.next();
            return row.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String execution(Call call) {
        return call.heard() instanceof Heard.Envelope envelope ? envelope.execution() : "none: " + call;
    }

    private static void isGood(Heard heard) {
        assertThat(heard)
                .isInstanceOfSatisfying(
                        Heard.Envelope.class,
                        envelope -> assertThat(envelope.ok())
                                .as(envelope.toString())
                                .isTrue());
    }
}
