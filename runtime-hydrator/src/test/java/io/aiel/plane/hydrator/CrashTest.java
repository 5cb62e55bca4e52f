package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a server that is killed leaves behind, and what the next one does about it. */
class CrashTest {
    @Test
    void theNextServerRemovesWhatAKilledOneLeft() throws Exception {
        Path folder;
        List<ProcessHandle> all = new ArrayList<>();
        try (ChildJvm child = new ChildJvm(
                List.of(), CrashProbe.class, Plane.DATA.toAbsolutePath().toString())) {
            assertThat(Plane.soon(
                            60,
                            () -> contains(child, CrashProbe.RUNNING)
                                    || !child.process().isAlive()))
                    .isTrue();
            assertThat(child.output()).contains(CrashProbe.RUNNING);
            folder = child.output()
                    .lines()
                    .filter(line -> line.startsWith(CrashProbe.RUNNING))
                    .map(line -> Path.of(line.substring(CrashProbe.RUNNING.length())))
                    .findFirst()
                    .orElseThrow();
            assertThat(folder.resolve("w.sock")).exists();
            all.add(child.process().toHandle());
            child.process().descendants().forEach(all::add);
            assertThat(all).hasSizeGreaterThan(2);
            // Not one of them gets to clean up: neither the server nor launcher and sweeper.
            all.forEach(process -> freeze(process.pid()));
            all.forEach(ProcessHandle::destroyForcibly);
            assertThat(Plane.soon(10, () -> all.stream().noneMatch(ProcessHandle::isAlive)))
                    .isTrue();
        }
        assertThat(folder).exists();
        List<Long> pids = all.stream().map(ProcessHandle::pid).toList();

        try (Plane next = Plane.start(Plane.settings())) {
            assertThat(folder).doesNotExist();
            assertThat(PoolsTest.cgroupsOf(pids)).isEmpty();
            // And what belongs to a server that lives is left alone, by one in the same process and by another process.
            Path alive = next.hydrator().socket();
            try (Plane second = Plane.start(Plane.settings());
                    ChildJvm third = new ChildJvm(
                            List.of(),
                            TierProbe.class,
                            Plane.DATA.toAbsolutePath().toString(),
                            "auto")) {
                assertThat(third.end()).contains("\"ready\":true");
                assertThat(second.hydrator().socket()).exists();
            }
            assertThat(alive).exists();
        }
    }

    @Test
    void aPathTooLongForASocketLeadsToTheFolderForTemporaryFilesAndIsSweptThereToo() throws Exception {
        Path deep = Plane.DATA.toAbsolutePath().resolve("d".repeat(120));
        RunFolder folder = RunFolder.make(deep, 93);
        Path path = folder.path();
        try {
            assertThat(path.toString().length()).isLessThanOrEqualTo(93);
            assertThat(Files.getPosixFilePermissions(path)).isEqualTo(Trees.FOLDER_PRIVATE);
            Path stale =
                    path.resolveSibling(String.valueOf(path.getFileName()).replaceFirst("-[^-]+-[^-]+$", "-1-abcdef"));
            Files.createDirectory(stale);
            Files.writeString(stale.resolve("lock"), "");
            try (RunFolder another = RunFolder.make(deep, 93)) {
                assertThat(stale).doesNotExist();
                assertThat(path).exists();
                assertThat(another.path()).exists();
            } finally {
                Trees.delete(stale);
            }
        } finally {
            folder.close();
        }
        assertThat(path).doesNotExist();
    }

    private static boolean contains(ChildJvm child, String text) {
        try {
            return child.output().contains(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void freeze(long pid) {
        try {
            var _ = new ProcessBuilder("kill", "-STOP", Long.toString(pid))
                    .start()
                    .waitFor();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
