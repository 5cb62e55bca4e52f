package io.aiel.plane.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aiel.plane.faults.Ledger.Call;
import io.aiel.plane.faults.Ledger.Heard;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * There is no room left: for records that cannot go on, and on PostgreSQL's disk. As root that disk is a small one in memory; otherwise
 * its test is skipped.
 */
@Tag("faults")
class NoRoomTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int ROWS_MAX = 400;
    private static final int CALLS_MAX = 4_000;
    private static final boolean ROOT = "root".equals(System.getProperty("user.name"));

    private static Path disk;
    private static Backends backends;
    private static PackagedPlane plane;
    private static Project project;

    private final Ledger ledger = new Ledger();
    private int number;

    @BeforeAll
    static void start() {
        disk = PackagedPlane.freshData();
        if (ROOT) {
            Command.of("mount", "-t", "tmpfs", "-o", "size=280m,mode=755", "plane-disk", disk.toString())
                    .run()
                    .orFail();
        }
        backends = Backends.startWithPostgresIn(disk.resolve("p"));
        plane = PackagedPlane.start(backends.options()
                .withSettings("plane.audit.outbox.rows-max=" + ROWS_MAX, "plane.audit.outbox.reconcile-interval=1s"));
        project = plane.newProject("no-room");
        project.push(Load.CODE);
        Waiting.until(LIMIT, NoRoomTest::works, Boolean::booleanValue, "a plane that works");
    }

    @AfterAll
    static void end() throws IOException {
        plane.close();
        backends.close();
        if (ROOT) {
            // What PostgreSQL left needs a moment to let go of its log.
            Waiting.until(
                    LIMIT,
                    () -> Command.of("umount", disk.toString()).run(),
                    result -> result.exit() == 0,
                    "an unmounted disk");
        }
        Command.deleteRecursively(disk);
    }

    private static boolean works() {
        return Load.call(project, "works", 0, 0, false, "").heard() instanceof Heard.Envelope envelope && envelope.ok();
    }

    private Call call() {
        Call call = Load.call(project, "n" + System.identityHashCode(this), number++, 0, false, "");
        ledger.add(call);
        return call;
    }

    private Answer ask() {
        return project.tool("work", Map.of("call", "asked", "number", 0, "ms", 0, "fail", false, "witness", ""));
    }

    private void judge() {
        Oracle.awaitQuiet(backends, LIMIT);
        Oracle.Verdict verdict = Oracle.judge(ledger, Optional.empty(), backends);
        assertThat(verdict.problems()).as(verdict.toString()).isEmpty();
    }

    @Test
    void slowsAndThenRefusesWorkWhenRecordsCannotGoOnAndLetsWhatRunsEnd() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            backends.kafka().kill();
            Future<Call> running;
            try {
                running = threads.submit(() -> {
                    Call call = Load.call(project, "running", 0, 20_000, false, "");
                    ledger.add(call);
                    return call;
                });
                Heard heard = call().heard();
                while (heard instanceof Heard.Envelope && number < ROWS_MAX) {
                    heard = call().heard();
                }
                Answer slow = ask();
                // Changes of the control plane are records too, and are not held back.
                Answer full = ask();
                for (int i = 0; full.status() == 429 && i < ROWS_MAX; i++) {
                    ledger.add(Load.change(project, "fill-" + i));
                    // The first that says so: what runs may end just then, and there is room for a moment.
                    full = ask();
                }

                assertThat(slow.status()).as(slow.toString()).isEqualTo(429);
                assertThat(slow.errorCode()).isEqualTo("AUDIT_BACKLOG");
                assertThat(slow.headers().firstValue("Retry-After")).isPresent();
                assertThat(full.status()).as(full.toString()).isEqualTo(503);
                assertThat(full.errorCode()).isEqualTo("NOT_READY");
                assertThat(full.headers().firstValue("Retry-After")).isPresent();
                assertThat(running.get().heard())
                        .as("what ran was let end")
                        .isInstanceOfSatisfying(
                                Heard.Envelope.class,
                                envelope -> assertThat(envelope.ok()).isTrue());
            } finally {
                backends.kafka().start();
            }
        }
        Waiting.until(LIMIT, NoRoomTest::works, Boolean::booleanValue, "a plane that works again by itself");
        judge();
    }

    @Test
    void refusesWorkWhenTheDiskIsFullAndGoesOnWithoutRepair() throws IOException {
        assumeThat(ROOT).as("only root can have a small disk").isTrue();
        Path filler = disk.resolve("filler");
        fill(filler);
        Heard heard = call().heard();
        // For the end of the last that began there may be no room any more: it is lost, and says so. None begins after
        // it.
        while ((heard instanceof Heard.Envelope || isLost(heard)) && number < CALLS_MAX) {
            heard = call().heard();
        }
        Heard refused = heard;
        for (int i = 0; i < 20; i++) {
            call();
        }

        Files.delete(filler);
        Waiting.until(LIMIT, this::worksAgain, Boolean::booleanValue, "a plane that works again by itself");

        assertThat(refused)
                .isInstanceOfSatisfying(
                        Heard.Other.class,
                        other -> assertThat(other.status()).as(other.toString()).isEqualTo(503));
        judge();
    }

    private static boolean isLost(Heard heard) {
        return heard instanceof Heard.Other other && other.code().equals("EXECUTION_LOST");
    }

    /** PostgreSQL may have given up when it could not write its log; whoever runs it starts it again. */
    private boolean worksAgain() {
        if (!backends.postgres().runs()) {
            backends.postgres().start();
        }
        return works();
    }

    private static void fill(Path filler) throws IOException {
        byte[] block = new byte[1 << 16];
        try (OutputStream out = Files.newOutputStream(filler)) {
            while (true) {
                out.write(block);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }
}
