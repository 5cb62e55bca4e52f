package io.aiel.plane.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aiel.plane.faults.Ledger.Call;
import io.aiel.plane.faults.Ledger.Change;
import io.aiel.plane.faults.Ledger.Heard;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.Waiting;
import io.aiel.plane.fixtures.Wire;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * One thing goes wrong at a time, and what callers hear meanwhile is looked at closely. One plane for all, with PostgreSQL behind a
 * {@link Wire}; each test leaves it working, and the oracle judges each.
 */
@Tag("faults")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SingleFaultsTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private static final Duration PROMISED = Duration.ofSeconds(2);

    /** A machine that is busy with other things holds up a few, the test's own part of them too: the short form allows more for the slowest. */
    private static final Duration SLOWEST = Form.current().pick(Duration.ofSeconds(6), PROMISED);

    private static final Duration FROZEN = Form.current().pick(Duration.ofSeconds(6), Duration.ofSeconds(20));

    private static Backends backends;
    private static Wire wire;
    private static PackagedPlane plane;
    private static Project project;

    private Ledger ledger;
    private int number;

    @BeforeAll
    static void start() {
        backends = Backends.start();
        wire = new Wire(backends.postgres().port());
        plane = PackagedPlane.start(backends.optionsThrough(wire.port()));
        project = plane.newProject("single");
        project.push(Load.CODE);
        assertThat(Load.call(project, "first", 0, 0, false, "").heard()).isInstanceOf(Heard.Envelope.class);
    }

    @AfterAll
    static void end() {
        plane.close();
        wire.close();
        backends.close();
    }

    @BeforeEach
    void begin() {
        ledger = new Ledger();
    }

    @AfterEach
    void leavesNothingWrong() {
        Waiting.until(LIMIT, this::works, Boolean::booleanValue, "a plane that works again by itself");
        Oracle.awaitQuiet(backends, LIMIT);
        Oracle.Verdict verdict = Oracle.judge(ledger, Optional.empty(), backends);
        assertThat(verdict.problems()).as(verdict.toString()).isEmpty();
    }

    private boolean works() {
        return call(0, false).heard() instanceof Heard.Envelope envelope && envelope.ok();
    }

    private Call call(int ms, boolean fail) {
        Call call =
                Load.call(project, getClass().getSimpleName() + System.identityHashCode(this), number++, ms, fail, "");
        ledger.add(call);
        return call;
    }

    private Change change() {
        Change change = Load.change(project, "single-" + System.identityHashCode(this) + "-" + number++);
        ledger.add(change);
        return change;
    }

    /** Asks again and again while something is away: for work, and for a change. How long each refusal took, the quickest first. */
    private List<Duration> refusals(BooleanSupplier goOn) {
        List<Duration> took = new ArrayList<>();
        do {
            // The change first: just now the token is still known from before, so that the change itself finds the
            // database gone.
            long before = System.nanoTime();
            Heard changed = change().heard();
            long between = System.nanoTime();
            Heard heard = call(0, false).heard();
            long after = System.nanoTime();
            took.add(Duration.ofNanos(between - before));
            took.add(Duration.ofNanos(after - between));
            for (Heard each : List.of(heard, changed)) {
                assertThat(each)
                        .isInstanceOfSatisfying(
                                Heard.Other.class,
                                other -> assertThat(other.status())
                                        .as(other.toString())
                                        .isEqualTo(503));
            }
        } while (goOn.getAsBoolean());
        Collections.sort(took);
        return took;
    }

    private static BooleanSupplier until(Duration length) {
        long end = System.nanoTime() + length.toNanos();
        return () -> System.nanoTime() < end;
    }

    @Test
    void refusesWorkAndChangesWhilePostgresIsDownAndRecoversByItself() {
        assertThat(works()).isTrue();
        backends.postgres().kill();
        List<Duration> took;
        try {
            took = refusals(until(Duration.ofSeconds(4)));
        } finally {
            backends.postgres().start();
        }
        long back = System.nanoTime();
        Waiting.until(LIMIT, this::works, Boolean::booleanValue, "a plane that works again by itself");

        keep("postgres-down", took, Duration.ofNanos(System.nanoTime() - back));
        assertThat(took.getLast()).isLessThan(SLOWEST);
        assertThat(middle(took)).isLessThan(PROMISED);
    }

    @Test
    void refusesWorkAndChangesWhilePostgresIsFrozenAndRecoversByItself() {
        assertThat(works()).isTrue();
        backends.postgres().freeze();
        List<Duration> took;
        try {
            took = refusals(until(FROZEN));
        } finally {
            backends.postgres().thaw();
        }
        long back = System.nanoTime();
        Waiting.until(LIMIT, this::works, Boolean::booleanValue, "a plane that works again by itself");

        keep("postgres-frozen", took, Duration.ofNanos(System.nanoTime() - back));
        assertThat(took.getLast()).isLessThan(SLOWEST);
    }

    private static Duration middle(List<Duration> sorted) {
        return sorted.get(sorted.size() / 2);
    }

    private static void keep(String name, List<Duration> took, Duration recovery) {
        Results.keep(
                "faults",
                name,
                Map.of(
                        "refusals",
                        took.size(),
                        "middle_refusal_ms",
                        middle(took).toMillis(),
                        "longest_refusal_ms",
                        took.getLast().toMillis(),
                        "working_again_after_ms",
                        recovery.toMillis()));
    }

    /** Meant to fail: where the end of an execution is not recognised as its own, the answer is 502 EXECUTION_LOST. */
    @Test
    void answersWhatWasRecordedAlthoughTheCommitOfTheEndWasNotHeard() {
        int before = wire.lost();
        // What code logs is written with the end of its execution, and nowhere else.
        String logged = "end-" + System.identityHashCode(this);
        wire.loseTheAnswerToTheCommitOf(logged);

        Answer answer =
                project.tool("work", Map.of("call", logged, "number", 1, "ms", 0, "fail", false, "witness", ""));

        assertThat(wire.lost()).isEqualTo(before + 1);
        assertThat(answer.status()).as(answer.toString()).isEqualTo(200);
        assertThat(status("id", answer.executionId())).isEqualTo("succeeded");
    }

    @Test
    void runsNothingWhenTheCommitOfTheAdmissionWasNotHeardAndClosesItAsLost() {
        int before = wire.lost();
        String id = "admission-" + System.identityHashCode(this);
        wire.loseTheAnswerToTheCommitOf(id + "-0");

        Call call = Load.call(project, id, 0, 0, false, "");

        ledger.add(call);
        assertThat(wire.lost()).isEqualTo(before + 1);
        assertThat(call.heard())
                .isInstanceOfSatisfying(
                        Heard.Other.class, other -> assertThat(other.code()).isEqualTo("ADMISSION_UNAVAILABLE"));
        Oracle.awaitQuiet(backends, LIMIT);
        assertThat(status("request_id", call.id())).as("the commit succeeded").isEqualTo("lost");
    }

    private static String status(String column, String value) {
        try (Connection connection = backends.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT status FROM executions WHERE " + column + " = '" + value + "'")) {
            return row.next() ? row.getString(1) : "none";
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Last, as the oracle judges after each test what is there from all before it: in the long form these are tens of thousands. */
    @Test
    @Order(Integer.MAX_VALUE)
    void answersWhileKafkaIsDownAndCatchesUp() {
        // In a short outage the broker's start is most of the time, and says nothing of a rate.
        int factor = Form.current().pick(0, 3);
        Duration down = Form.current().pick(Duration.ofSeconds(12), Duration.ofMinutes(10));
        down = Duration.ofSeconds(Long.getLong("plane.outage.seconds", down.toSeconds()));
        long begun = System.nanoTime();
        backends.kafka().kill();
        int calls = 0;
        double written;
        try {
            BooleanSupplier goOn = until(down);
            do {
                assertThat(call(0, false).heard())
                        .isInstanceOfSatisfying(
                                Heard.Envelope.class,
                                envelope -> assertThat(envelope.ok()).isTrue());
                calls++;
            } while (goOn.getAsBoolean());
            written = calls / seconds(begun);
        } finally {
            backends.kafka().start();
        }
        long back = System.nanoTime();
        Oracle.awaitQuiet(backends, Form.current().pick(Duration.ofMinutes(1), Duration.ofMinutes(10)));
        double caughtUp = calls / seconds(back);

        Results.keep(
                "faults",
                "kafka-down",
                Map.of("calls", calls, "written_per_second", written, "caught_up_per_second", caughtUp));
        assertThat(calls).isPositive();
        assertThat(caughtUp).isGreaterThan(factor * written);
    }

    private static double seconds(long sinceNanos) {
        return (System.nanoTime() - sinceNanos) / 1e9;
    }

    @Test
    void answersWhileKafkaIsFrozen() {
        backends.kafka().freeze();
        try {
            BooleanSupplier goOn = until(FROZEN);
            do {
                assertThat(call(0, false).heard()).isInstanceOf(Heard.Envelope.class);
            } while (goOn.getAsBoolean());
        } finally {
            backends.kafka().thaw();
        }
    }

    @Test
    void timesOutAFrozenWorkerAndGoesOnWithAnother() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> answer = threads.submit(() -> project.execute(Map.of(
                    "action",
                    "invoke",
                    "kind",
                    "tool",
                    "handler",
                    "work",
                    "event",
                    Map.of("call", "frozen", "number", 1, "ms", 3_000, "fail", false, "witness", ""),
                    "meta",
                    Map.of("timeout_ms", 6_000))));
            List<ProcessHandle> frozen = new ArrayList<>();
            try {
                // Whichever of them it is: the others have nothing to do.
                Waiting.until(LIMIT, this::running, count -> count == 1, "a running execution");
                frozen.addAll(Storm.workers(plane));
                frozen.forEach(worker -> Storm.signal(worker, "STOP"));

                assertThat(answer.get().errorCode()).as(answer.get().toString()).isEqualTo("TIMEOUT");
            } finally {
                frozen.forEach(worker -> Storm.signal(worker, "CONT"));
            }
        }
    }

    private long running() {
        try (Connection connection = backends.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT count(*) FROM executions WHERE status = 'running'")) {
            row.next();
            return row.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void losesOneCallWhenItsWorkerIsKilledAndNoneAfterIt() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Call> answer = threads.submit(() -> call(20_000, false));
            Waiting.until(LIMIT, this::running, count -> count == 1, "a running execution");
            assumeThat(Storm.workers(plane)).isNotEmpty();
            Storm.workers(plane).forEach(ProcessHandle::destroyForcibly);

            assertThat(answer.get().heard())
                    .isInstanceOfSatisfying(
                            Heard.Envelope.class,
                            envelope -> assertThat(envelope.document()
                                            .at("/error/code")
                                            .asText())
                                    .isEqualTo("WORKER_LOST"));
            assertThat(works()).isTrue();
        }
    }

    /** The oracle is what all of these tests rest on: here the truth is spoiled, one piece at a time, and it must name each. */
    @Test
    void isNotFooled() throws SQLException {
        Call call = call(0, false);
        Change change = change();
        Oracle.awaitQuiet(backends, LIMIT);
        assertThat(call.heard()).isInstanceOf(Heard.Envelope.class);
        String id = call.heard() instanceof Heard.Envelope envelope ? envelope.execution() : "";
        String events = "audit_events WHERE stream = 'execution/" + id + "'";
        Map<String, String> spoiled = Map.of(
                "DELETE FROM execution_logs WHERE execution = '" + id + "'", "0 lines of log",
                "UPDATE executions SET status = 'failed' WHERE id = '" + id + "'", "was told",
                "UPDATE executions SET result_digest = 'x' WHERE id = '" + id + "'", "another result",
                "UPDATE executions SET request_id = 'other' WHERE id = '" + id + "'", "is kept as []",
                "DELETE FROM " + events + " AND sequence = 4", "0 terminal records",
                "DELETE FROM " + events + " AND sequence = 2", "is broken at 2",
                "UPDATE audit_events SET hash = 'x' WHERE stream = 'execution/" + id + "' AND sequence = 3",
                        "broken at 4",
                "DELETE FROM audit_events WHERE subject_of(canonical) = '" + change.id() + "'", "has 0 records",
                "DELETE FROM usage_executions WHERE execution = '" + id + "'", "not counted");
        try (Connection connection = backends.connect();
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            for (Map.Entry<String, String> each : spoiled.entrySet()) {
                statement.execute(each.getKey().replace("subject_of(canonical)", "canonical::json ->> 'subject'"));

                Oracle.Verdict verdict = Oracle.judge(ledger, Optional.empty(), connection);

                assertThat(verdict.problems())
                        .as(each.getKey())
                        .anySatisfy(problem -> assertThat(problem).contains(each.getValue()));
                connection.rollback();
            }
            Map<String, Integer> twice = Map.of(call.id(), 2, "nobody", 1);
            assertThat(Oracle.judge(ledger, Optional.of(twice), connection).problems())
                    .anySatisfy(problem -> assertThat(problem).contains("ran 2 times"))
                    .anySatisfy(problem -> assertThat(problem).contains("has no row"));
        }
    }
}
