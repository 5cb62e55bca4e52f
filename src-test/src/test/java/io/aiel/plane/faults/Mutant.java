package io.aiel.plane.faults;

import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;

/**
 * A copy of the packaged application in which one class is compiled from changed source. The product has no switch for it: the change
 * is made to the text, and the copy runs from a folder of its own. {@link #close()} removes it.
 */
final class Mutant implements AutoCloseable {
    private static final String GATEWAY = "execution-gateway";

    private final Path home;

    /**
     * @param source the source file, below the gateway's {@code src/main/java}
     * @param text what to replace, which must be there exactly once
     * @param replacement what to put there
     */
    Mutant(String source, String text, String replacement) {
        Path repository = PackagedPlane.repository();
        home = PackagedPlane.freshData();
        try {
            Files.copy(repository.resolve("plane"), home.resolve("plane"), StandardCopyOption.COPY_ATTRIBUTES);
            copy(repository.resolve(GATEWAY).resolve("target/quarkus-app"), home.resolve("app"));
            Files.createSymbolicLink(
                    home.resolve("app/embedded"), repository.resolve(GATEWAY).resolve("embedded/target/embedded"));
            String original = Files.readString(
                    repository.resolve(GATEWAY).resolve("src/main/java").resolve(source), StandardCharsets.UTF_8);
            if (original.split(Pattern.quote(text), -1).length != 2) {
                throw new IllegalStateException(source + " does not have exactly once: " + text);
            }
            replace(source, original.replace(text, replacement));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where its {@code ./plane} is. */
    Path home() {
        return home;
    }

    private void replace(String source, String changed) throws IOException {
        Path file = home.resolve("source").resolve(source);
        Files.createDirectories(file.getParent());
        Files.writeString(file, changed, StandardCharsets.UTF_8);
        Path classes = Files.createDirectory(home.resolve("classes"));
        int failed = ToolProvider.getSystemJavaCompiler()
                .run(
                        null,
                        null,
                        null,
                        "-nowarn",
                        "-proc:none",
                        "-d",
                        classes.toString(),
                        "-cp",
                        jars(),
                        file.toString());
        if (failed != 0) {
            throw new IllegalStateException("the mutant does not compile: " + file);
        }
        Path jar = only(home.resolve("app/app"));
        try (FileSystem archive = FileSystems.newFileSystem(jar);
                Stream<Path> made = Files.walk(classes)) {
            for (Path each : made.filter(Files::isRegularFile).toList()) {
                Files.copy(
                        each,
                        archive.getPath("/").resolve(classes.relativize(each).toString()),
                        StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private String jars() throws IOException {
        try (Stream<Path> all = Files.walk(home.resolve("app"))) {
            return all.filter(path -> path.toString().endsWith(".jar"))
                    .map(Path::toString)
                    .collect(Collectors.joining(":"));
        }
    }

    private static Path only(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> jars =
                    files.filter(path -> path.toString().endsWith(".jar")).toList();
            if (jars.size() != 1) {
                throw new IllegalStateException("one jar was expected in " + folder + ": " + jars);
            }
            return jars.getFirst();
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path each : all.toList()) {
                Files.copy(each, to.resolve(from.relativize(each).toString()));
            }
        }
    }

    @Override
    public void close() {
        try {
            // The walk of the shared method does not follow the link.
            Command.deleteRecursively(home);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
