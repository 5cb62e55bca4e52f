package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.ProjectScope;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Pools of real workers at their limits: capacity, fairness, idleness, death of the fork server, the end of everything. */
class PoolsTest {
    private static final String CODE = """
            import os, time
            from aiel_sdk import tool

            @tool("sleep")
            def sleep(ctx, event: dict) -> dict:
                time.sleep(event["s"])
                return {"slept": True}
            """;

    private static HydratorSettings.Times times(Duration idle, Duration queue) {
        HydratorSettings.Times usual = Plane.settings().times();
        return new HydratorSettings.Times(
                idle,
                queue,
                usual.startMax(),
                usual.deadlineGrace(),
                usual.cancelGrace(),
                usual.describeMax(),
                usual.stopMax(),
                usual.installMax());
    }

    private static HydratorSettings small(int workers, int queue, Duration queueWait) {
        return Plane.settings()
                .with(new HydratorSettings.Pools(workers, workers, workers, 0, queue, 1))
                .with(times(Duration.ofMinutes(1), queueWait));
    }

    @Test
    void aFullQueueAndALongWaitAreRefusedWithTheirOwnCode() throws Exception {
        try (Plane plane = Plane.start(small(1, 1, Duration.ofMillis(500)))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            Plane.Listener listener = new Plane.Listener();
            RunningExecution first = plane.run(
                    plane.project(),
                    snapshot,
                    Plane.tool("sleep", "{\"s\":2}"),
                    Plane.TIMEOUT,
                    Obligations.NONE,
                    listener);
            listener.worker.get(20, TimeUnit.SECONDS);
            RunningExecution second = plane.run(snapshot, "sleep", "{\"s\":0}", Plane.TIMEOUT);
            ExecutionOutcome third = plane.call(snapshot, "sleep", "{\"s\":0}");
            assertThat(Plane.code(third)).isEqualTo("CAPACITY_EXHAUSTED");
            assertThat(Plane.code(Plane.get(second))).isEqualTo("CAPACITY_EXHAUSTED");
            assertThat(Plane.code(Plane.get(first))).isEqualTo("OK");
        }
    }

    /** One worker, a project with ten requests and one with one: the one does not wait for all ten. */
    @Test
    void aProjectWithOneRequestDoesNotWaitForAnothersTen() throws Exception {
        try (Plane plane = Plane.start(small(1, 100, Duration.ofSeconds(30)))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            ProjectScope greedy = Plane.scope();
            ProjectScope modest = Plane.scope();
            List<String> order = new ArrayList<>();
            List<RunningExecution> all = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                all.add(note(order, "greedy", submit(plane, greedy, snapshot)));
            }
            all.add(note(order, "modest", submit(plane, modest, snapshot)));
            for (RunningExecution running : all) {
                assertThat(Plane.code(Plane.get(running))).isEqualTo("OK");
            }
            synchronized (order) {
                assertThat(order.indexOf("modest")).as(order.toString()).isLessThan(6);
            }
        }
    }

    /**
     * One worker, and a bunch of queued executions that stand in line for it: who calls and waits does not wait for all of them.
     *
     * <p>Seen to fail: where all stand in one line, he comes last.
     */
    @Test
    void aCallerDoesNotWaitForABunchOfQueuedExecutionsOfHisProject() throws Exception {
        try (Plane plane = Plane.start(small(1, 100, Duration.ofSeconds(30)))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            List<String> order = new ArrayList<>();
            List<RunningExecution> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                all.add(note(order, "queued", plane.runQueued(snapshot, "sleep", "{\"s\":0.1}")));
            }
            all.add(note(order, "caller", plane.run(snapshot, "sleep", "{\"s\":0.1}", Plane.TIMEOUT)));
            for (RunningExecution running : all) {
                assertThat(Plane.code(Plane.get(running))).isEqualTo("OK");
            }
            synchronized (order) {
                assertThat(order.indexOf("caller")).as(order.toString()).isLessThan(4);
            }
        }
    }

    /**
     * A project that sends far more than the queue holds leaves room in it for others.
     *
     * <p>Meant to fail: without the project's share of the queue.
     */
    @Test
    void aProjectDoesNotFillTheQueueForOthers() throws Exception {
        try (Plane plane = Plane.start(small(1, 20, Duration.ofSeconds(30)))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            ProjectScope greedy = Plane.scope();
            List<RunningExecution> all = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                all.add(submit(plane, greedy, snapshot));
            }
            RunningExecution modest = submit(plane, Plane.scope(), snapshot);

            assertThat(Plane.code(Plane.get(modest))).isEqualTo("OK");
            List<String> codes = new ArrayList<>();
            for (RunningExecution running : all) {
                codes.add(Plane.code(Plane.get(running)));
            }
            assertThat(codes).contains("CAPACITY_EXHAUSTED").doesNotContain("TIMEOUT", "WORKER_LOST");
            assertThat(codes.stream().filter("OK"::equals)).hasSizeBetween(16, 40);
        }
    }

    private static RunningExecution submit(Plane plane, ProjectScope project, SnapshotFiles snapshot) {
        return plane.run(
                project,
                snapshot,
                Plane.tool("sleep", "{\"s\":0.1}"),
                Plane.TIMEOUT,
                Obligations.NONE,
                new Plane.Listener());
    }

    private static RunningExecution note(List<String> order, String name, RunningExecution running) {
        var _ = running.outcome().thenRun(() -> {
            synchronized (order) {
                order.add(name);
            }
        });
        return running;
    }

    @Test
    void idleWorkersEndAndTheNextCallFindsANewOne() throws Exception {
        try (Plane plane = Plane.start(Plane.settings().with(times(Duration.ofMillis(300), Duration.ofSeconds(10))))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            assertThat(Plane.code(plane.call(snapshot, "sleep", "{\"s\":0}"))).isEqualTo("OK");
            assertThat(plane.hydrator().status().workersIdle()).isEqualTo(1);
            assertThat(Plane.soon(() -> plane.hydrator().status().workersIdle() == 0))
                    .isTrue();
            assertThat(Plane.code(plane.call(snapshot, "sleep", "{\"s\":0}"))).isEqualTo("OK");
        }
    }

    @Test
    void theDeathOfTheForkServerLosesTheRunningExecutionAndNoOther() throws Exception {
        try (Plane plane = Plane.start(Plane.settings())) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            Plane.Listener listener = new Plane.Listener();
            RunningExecution running = plane.run(
                    plane.project(),
                    snapshot,
                    Plane.tool("sleep", "{\"s\":30}"),
                    Plane.TIMEOUT,
                    Obligations.NONE,
                    listener);
            listener.worker.get(20, TimeUnit.SECONDS);
            ProcessHandle launcher = launchers().getFirst();
            // The zygote is the launcher's child that has the workers for children.
            ProcessHandle zygote = launcher.children()
                    .filter(child -> child.children().findAny().isPresent())
                    .findFirst()
                    .orElseThrow();
            assertThat(zygote.destroyForcibly()).isTrue();
            assertThat(Plane.code(Plane.get(running))).isEqualTo("WORKER_LOST");
            assertThat(Plane.code(plane.call(snapshot, "sleep", "{\"s\":0}"))).isEqualTo("OK");
        }
    }

    @Test
    void aWornZygoteIsReplacedWithoutLosingAnything() throws Exception {
        HydratorSettings.Recycling often = new HydratorSettings.Recycling(1, 192L << 20, 3, Duration.ofHours(1));
        try (Plane plane = Plane.start(Plane.settings().with(often))) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            for (int i = 0; i < 10; i++) {
                assertThat(Plane.code(plane.call(snapshot, "sleep", "{\"s\":0.05}")))
                        .isEqualTo("OK");
            }
        }
        assertThat(launchers()).isEmpty();
    }

    @Test
    void closingLeavesNoProcessMountCgroupOrSocket() throws Exception {
        List<String> mounts = Files.readAllLines(Path.of("/proc/self/mountinfo"));
        Plane plane = Plane.start(Plane.settings());
        List<Long> pids;
        try {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            RunningExecution running = plane.run(snapshot, "sleep", "{\"s\":30}", Plane.TIMEOUT);
            assertThat(Plane.soon(() -> plane.hydrator().status().workersBusy() == 1))
                    .isTrue();
            pids = ProcessHandle.current().descendants().map(ProcessHandle::pid).toList();
            assertThat(pids).hasSizeGreaterThan(2);
            boolean cgroups = !Plane.read(plane.hydrator().status().isolation())
                    .path("cgroup")
                    .isNull();
            assertThat(cgroupsOf(pids).isEmpty()).as("the check below can fail").isNotEqualTo(cgroups);
            assertThat(runFolders()).as("so can this one").isNotEmpty();
            plane.close();
            assertThat(Plane.code(Plane.get(running))).isEqualTo("WORKER_LOST");
        } finally {
            plane.close();
        }
        assertThat(Plane.soon(() -> pids.stream()
                        .noneMatch(pid -> ProcessHandle.of(pid)
                                .filter(ProcessHandle::isAlive)
                                .isPresent())))
                .as("processes are gone")
                .isTrue();
        assertThat(Files.readAllLines(Path.of("/proc/self/mountinfo"))).isEqualTo(mounts);
        assertThat(cgroupsOf(pids)).isEmpty();
        assertThat(runFolders()).isEmpty();
    }

    /** This process's run folders: below the data, or among temporary files where the checkout's path is a long one. */
    private static List<Path> runFolders() throws IOException {
        String mine = "(plane-[0-9a-f]{8}-)?" + ProcessHandle.current().pid() + "-[0-9a-z]+-[0-9a-f]{6}";
        List<Path> found = new ArrayList<>();
        for (Path place : List.of(Plane.DATA.resolve("run"), Path.of(System.getProperty("java.io.tmpdir")))) {
            if (Files.isDirectory(place)) {
                try (Stream<Path> children = Files.list(place)) {
                    children.filter(child -> String.valueOf(child.getFileName()).matches(mine))
                            .forEach(found::add);
                }
            }
        }
        return found;
    }

    private static List<ProcessHandle> launchers() {
        return ProcessHandle.current()
                .children()
                .filter(child -> child.info().command().orElse("").contains("python"))
                .toList();
    }

    /** Control groups whose name holds one of these process ids. Others come and go meanwhile, which is no error. */
    static Set<String> cgroupsOf(List<Long> pids) throws IOException {
        Set<String> found = new TreeSet<>();
        Files.walkFileTree(
                Path.of("/sys/fs/cgroup"), EnumSet.noneOf(FileVisitOption.class), 8, new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) {
                        String name = String.valueOf(path.getFileName());
                        if (pids.stream().anyMatch(pid -> name.startsWith("aiel-plane-" + pid + "-"))) {
                            found.add(path.toString());
                        }
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFileFailed(Path path, IOException gone) {
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(Path path, @Nullable IOException gone) {
                        return FileVisitResult.CONTINUE;
                    }
                });
        return found;
    }
}
