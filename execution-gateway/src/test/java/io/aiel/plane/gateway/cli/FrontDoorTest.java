package io.aiel.plane.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the real script with made-up JDK folders and a PATH that holds only the tools it may use. */
class FrontDoorTest {
    private static final Path SCRIPT = Path.of("..", "plane").toAbsolutePath().normalize();
    private static final List<String> TOOLS =
            List.of("bash", "readlink", "dirname", "grep", "sed", "stat", "find", "head", "tail", "cut", "mkdir");

    @TempDir
    private Path folder;

    @BeforeEach
    void linkTools() throws IOException {
        Path bin = Files.createDirectory(folder.resolve("bin"));
        for (String tool : TOOLS) {
            Path program = Path.of("/usr/bin", tool);
            Files.createSymbolicLink(bin.resolve(tool), Files.exists(program) ? program : Path.of("/bin", tool));
        }
    }

    @Test
    void takesTheJdkOfJavaHomeWhenItIsNewEnough() throws Exception {
        Path home = jdk("chosen", "25.0.3");

        Result result = where(Map.of(
                "JAVA_HOME",
                home.toString(),
                "PLANE_JDK_FOLDERS",
                jdk("other", "26").toString()));

        assertThat(result.out()).contains("JAVA_HOME=" + home + " ");
        assertThat(result.code()).isZero();
    }

    @Test
    void looksInTheUsualFoldersWhenJavaHomeIsTooOld() throws Exception {
        Path old = jdk("old", "17.0.2");
        Path fresh = jdk("fresh", "25");

        Result result = where(Map.of("JAVA_HOME", old.toString(), "PLANE_JDK_FOLDERS", old + " " + fresh));

        assertThat(result.out()).contains("JAVA_HOME=" + fresh + " ");
    }

    @Test
    void takesTheJavaOfThePath() throws Exception {
        Path home = jdk("onpath", "25.0.1");
        Files.createSymbolicLink(folder.resolve("bin").resolve("java"), home.resolve("bin/java"));

        Result result = where(Map.of("PLANE_JDK_FOLDERS", ""));

        assertThat(result.out()).contains("JAVA_HOME=" + home + " ");
    }

    @Test
    void passesOverARuntimeWithoutACompiler() throws Exception {
        Path runtime = jdk("runtime", "25");
        Files.delete(runtime.resolve("bin/javac"));
        Path full = jdk("full", "25");

        Result result = where(Map.of("PLANE_JDK_FOLDERS", runtime + " " + full));

        assertThat(result.out()).contains("JAVA_HOME=" + full + " ");
    }

    @Test
    void saysWhatWasFoundAndHowToGetAJdkWhenNoneIsNewEnough() throws Exception {
        Path old = jdk("old", "21.0.5");

        Result result = where(Map.of("PLANE_JDK_FOLDERS", old.toString()));

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.out())
                .contains("no JDK 25 or newer was found")
                .contains("found 21 at " + old + ": too old")
                .contains("apt install")
                .contains("JAVA_HOME");
    }

    @Test
    void refusesAPlanePythonThatIsNoPython() throws Exception {
        Path home = jdk("chosen", "25");

        Result result = where(Map.of("JAVA_HOME", home.toString(), "PLANE_PYTHON", "/bin/false"));

        assertThat(result.code()).isEqualTo(1);
        assertThat(result.out()).contains("PLANE_PYTHON is '/bin/false'");
    }

    @Test
    void choosesAPythonThatOtherUsersCanReach() throws Exception {
        Path home = jdk("chosen", "25");
        Path secret = Files.createDirectory(folder.resolve("private"));
        Path hidden = program(secret.resolve("python3.13"), "echo " + secret.resolve("python3.13"));
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwx------"));
        Files.createSymbolicLink(folder.resolve("bin").resolve("python3.13"), hidden);

        Result result = where(Map.of("JAVA_HOME", home.toString()));

        assertThat(result.out()).contains("PLANE_PYTHON=").doesNotContain("PLANE_PYTHON=" + hidden);
    }

    private Path jdk(String name, String version) throws IOException {
        Path home = folder.toRealPath().resolve("jdks").resolve(name);
        Files.createDirectories(home.resolve("bin"));
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"Test\"\nJAVA_VERSION=\"" + version + "\"\n");
        program(home.resolve("bin/java"), "exit 1");
        program(home.resolve("bin/javac"), "exit 1");
        return home;
    }

    private static Path program(Path file, String body) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }

    private Result where(Map<String, String> environment) throws IOException, InterruptedException {
        var builder = new ProcessBuilder("/bin/bash", SCRIPT.toString(), "where").redirectErrorStream(true);
        builder.environment().clear();
        builder.environment().put("PATH", folder.resolve("bin").toString());
        builder.environment().put("HOME", folder.toString());
        builder.environment().put("PLANE_JDK_FOLDERS", "");
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            return new Result(process.exitValue(), out);
        } finally {
            process.destroyForcibly();
        }
    }

    private record Result(int code, String out) {}
}
