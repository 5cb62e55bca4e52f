package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Installations of the real bundle into a folder of their own; the packages come out of uv's cache where that has them. */
class BundleInstallerTest {
    private Path data;
    private Path usual;

    @BeforeEach
    void prepare() throws Exception {
        Files.createDirectories(Plane.DATA);
        data = Files.createTempDirectory(Plane.DATA.toAbsolutePath(), "install-");
        usual = installer(Plane.DATA.toAbsolutePath(), new ArrayList<>()).install("minimal");
    }

    @AfterEach
    void remove() throws IOException {
        Trees.delete(data);
    }

    private static BundleInstaller installer(Path folder, List<String> told) throws HydratorFailure {
        return new BundleInstaller(
                folder, Python.find(Optional.empty(), System.getenv()), Duration.ofMinutes(5), told::add);
    }

    private Path uvHome() throws IOException {
        try (Stream<Path> tools = Files.list(Plane.DATA.resolve("tools"))) {
            return tools.filter(path -> String.valueOf(path.getFileName()).matches("uv-[0-9a-f]{16}"))
                    .findFirst()
                    .orElseThrow();
        }
    }

    /** Seen to fail: without the lock between processes. */
    @Test
    void ofTwoServersThatInstallAtOnceOneDoesAndBothHaveIt() throws Exception {
        Path tools = Files.createDirectories(data.resolve("tools"));
        Files.createSymbolicLink(tools.resolve(uvHome().getFileName()), uvHome().toAbsolutePath());
        Files.createSymbolicLink(
                tools.resolve("uv-cache"),
                Plane.DATA.toAbsolutePath().resolve("tools").resolve("uv-cache"));
        List<String> outputs = new ArrayList<>();
        try (ChildJvm first = new ChildJvm(List.of(), InstallProbe.class, data.toString());
                ChildJvm second = new ChildJvm(List.of(), InstallProbe.class, data.toString())) {
            outputs.add(first.end());
            outputs.add(second.end());
        }
        Path expected = data.resolve("bundles").resolve(usual.getFileName());
        assertThat(outputs)
                .as("both have it")
                .allSatisfy(output -> assertThat(output).contains(InstallProbe.AT + expected));
        assertThat(outputs)
                .as("one installed it")
                .filteredOn(output -> output.contains("Installing worker bundle"))
                .hasSize(1);
        assertWhole(expected);
    }

    /** Seen to fail: without the second attempt by pip. */
    @Test
    void withoutUvPipInstallsTheSame() throws Exception {
        Path broken = data.resolve("tools")
                .resolve(uvHome().getFileName())
                .resolve("bin")
                .resolve("uv");
        Files.createDirectories(broken.getParent());
        Files.writeString(broken, "#!/bin/sh\necho this machine cannot run uv >&2\nexit 126\n");
        Files.setPosixFilePermissions(broken, PosixFilePermissions.fromString("rwxr-xr-x"));
        List<String> told = new ArrayList<>();
        Path bundle = installer(data, told).install("minimal");
        assertThat(told)
                .anySatisfy(line ->
                        assertThat(line).contains("this machine cannot run uv").contains("trying pip"));
        assertWhole(bundle);
        assertThat(packages(bundle)).isEqualTo(packages(usual));
    }

    private static List<String> packages(Path bundle) throws IOException {
        try (Stream<Path> all = Files.list(bundle.resolve("site"))) {
            return all.map(path -> String.valueOf(path.getFileName()))
                    .filter(name -> name.endsWith(".dist-info"))
                    .sorted()
                    .toList();
        }
    }

    /** In place, read-only, and nothing half-made beside it. */
    private static void assertWhole(Path bundle) throws IOException {
        assertThat(packages(bundle)).anyMatch(name -> name.startsWith("aiel_runtime-"));
        assertThat(Files.getPosixFilePermissions(bundle.resolve("site"))).isEqualTo(Trees.FOLDER_READ_ONLY);
        try (Stream<Path> beside = Files.list(bundle.resolveSibling(""))) {
            assertThat(beside.map(path -> String.valueOf(path.getFileName())))
                    .containsExactlyInAnyOrder(".lock", String.valueOf(bundle.getFileName()));
        }
    }
}
