package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A second server process for a test: another JVM that runs the main method of a class of the tests. */
final class ChildJvm implements AutoCloseable {
    private final Process process;
    private final Path output;

    /** @param prefix of the command, such as one that makes namespaces */
    ChildJvm(List<String> prefix, Class<?> main, String... arguments) throws IOException {
        this(prefix, List.of(), main, arguments);
    }

    /**
     * @param prefix of the command, such as one that makes namespaces
     * @param before folders that come first on the class path: what is in them is found in place of what the build ships
     */
    ChildJvm(List<String> prefix, List<Path> before, Class<?> main, String... arguments) throws IOException {
        output = Files.createTempFile(
                Files.createDirectories(Path.of("target/child-jvms")), main.getSimpleName(), ".txt");
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"));
        StringBuilder classPath = new StringBuilder();
        before.forEach(folder -> classPath.append(folder.toAbsolutePath()).append(File.pathSeparatorChar));
        // Surefire's own class path is a jar that only names the real one.
        classPath.append(System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        command.add(classPath.toString());
        command.add(main.getName());
        command.addAll(Arrays.asList(arguments));
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(output.toFile())
                .start();
    }

    Process process() {
        return process;
    }

    String output() throws IOException {
        return Files.readString(output);
    }

    /** Waits for its end, and gives what it printed. */
    String end() throws IOException, InterruptedException {
        assertThat(process.waitFor(4, TimeUnit.MINUTES))
                .as("it ends, see %s", output)
                .isTrue();
        assertThat(process.exitValue()).as(output()).isZero();
        return output();
    }

    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
