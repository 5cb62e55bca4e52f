package io.aiel.plane.gateway.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aiel.plane.gateway.EmbeddedServers;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills a real server process in the hard way and looks at what it leaves. */
class KilledServerTest {
    private static final long LIMIT_SECONDS = 60;

    /** What the embedded servers need of the class path; an ordinary user may not read the build's own copy. */
    private static final List<String> NEEDED =
            List.of("commons-", "xz-", "postgresql-", "kafka-clients-", "slf4j-api-", "jspecify-");

    @TempDir
    private Path folder;

    private final List<Process> victims = new ArrayList<>();

    @AfterEach
    void endVictims() {
        victims.forEach(Process::destroyForcibly);
    }

    @Test
    void postgresAndKafkaEndWhenTheServerIsKilled() throws Exception {
        Process victim = start(
                List.of(),
                System.getProperty("java.class.path"),
                EmbeddedServers.libraries().root(),
                "kafka");
        awaitReady(victim);
        List<ProcessHandle> children = victim.descendants().toList();
        assertThat(children).hasSizeGreaterThanOrEqualTo(4);

        victim.destroyForcibly();

        CompletableFuture.allOf(children.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void theNextServerFindsTheDataOfAKilledOne() throws Exception {
        Process victim = start(
                List.of(),
                System.getProperty("java.class.path"),
                EmbeddedServers.libraries().root());
        awaitReady(victim);

        victim.destroyForcibly().waitFor();

        try (var lock = DataDirectoryLock.acquire(folder.resolve("data"));
                var next = EmbeddedPostgres.start(
                        folder.resolve("data/postgres"), EmbeddedServers.libraries(), line -> {})) {
            assertThat(lock).isNotNull();
            assertThat(next.isRunning()).isTrue();
        }
    }

    @Test
    void runsForAnOrdinaryUser() throws Exception {
        assumeThat(System.getProperty("user.name"))
                .as("only root can try what another user can do")
                .isEqualTo("root");
        Path home = folder.resolve("ordinary");
        String classPath = copyClassPath(home.resolve("classes"));
        Path jar = EmbeddedServers.libraries().postgresJar();
        Path libraries = home.resolve("libraries");
        Files.createDirectories(libraries.resolve("postgres"));
        Files.copy(jar, libraries.resolve("postgres").resolve(jar.getFileName()));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path data = Files.createDirectory(folder.resolve("data"));
        Files.setAttribute(data, "unix:uid", 20_001);

        Process victim = start(
                List.of("setpriv", "--reuid", "20001", "--regid", "20001", "--clear-groups"), classPath, libraries);

        assertThat(awaitReady(victim)).startsWith("READY ");
        assertThat(victim.descendants()
                        .map(handle -> owner(handle.pid()))
                        .flatMap(Optional::stream)
                        .distinct())
                .containsExactly(20_001);
    }

    private Process start(List<String> prefix, String classPath, Path libraries, String... more) throws IOException {
        var command = new ArrayList<>(prefix);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-cp",
                classPath,
                VictimServer.class.getName(),
                folder.resolve("data").toString(),
                libraries.toString()));
        command.addAll(List.of(more));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .directory(new File("/"))
                .start();
        victims.add(process);
        return process;
    }

    private static String awaitReady(Process victim) throws Exception {
        var said = new StringBuilder();
        return CompletableFuture.supplyAsync(() -> {
                    try (BufferedReader lines = victim.inputReader(StandardCharsets.UTF_8)) {
                        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                            if (line.startsWith("READY")) {
                                return line;
                            }
                            said.append(line).append('\n');
                        }
                    } catch (IOException e) {
                        said.append(e);
                    }
                    throw new AssertionError("The process ended before it was ready:\n" + said);
                })
                .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    private static Optional<Integer> owner(long pid) {
        try {
            return Optional.of((Integer) Files.getAttribute(Path.of("/proc", Long.toString(pid)), "unix:uid"));
        } catch (IOException e) {
            // It ended meanwhile.
            return Optional.empty();
        }
    }

    private static String copyClassPath(Path into) throws IOException {
        Files.createDirectories(into);
        var entries = new ArrayList<String>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            Path from = Path.of(entry);
            String name = from.getFileName().toString();
            if (Files.isDirectory(from)) {
                Path to = into.resolve("folder" + entries.size());
                copyTree(from.resolve("io/aiel/plane/gateway"), to.resolve("io/aiel/plane/gateway"));
                entries.add(to.toString());
            } else if (NEEDED.stream().anyMatch(name::startsWith)) {
                Files.copy(from, into.resolve(name));
                entries.add(into.resolve(name).toString());
            }
        }
        return String.join(File.pathSeparator, entries);
    }

    private static void copyTree(Path from, Path to) throws IOException {
        if (!Files.isDirectory(from)) {
            return;
        }
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(file, target);
                }
            }
        }
    }
}
