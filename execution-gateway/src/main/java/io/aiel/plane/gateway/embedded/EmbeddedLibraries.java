package io.aiel.plane.gateway.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The folder with the jars of the embedded servers: {@code postgres/*.jar} and {@code kafka/*.jar}.
 *
 * <p>They are kept beside the application and never on its class path.
 *
 * @param root the folder
 */
public record EmbeddedLibraries(Path root) {
    /** The system property that names the folder. */
    public static final String PROPERTY = "plane.embedded-dir";

    /** Makes the path absolute, because the children run in other folders. */
    public EmbeddedLibraries {
        root = root.toAbsolutePath().normalize();
    }

    /**
     * Finds the folder from the system property {@value #PROPERTY}.
     *
     * @return the folder
     * @throws EmbeddedServerFailed when the property is missing
     */
    public static EmbeddedLibraries fromSystemProperty() {
        String configured = System.getProperty(PROPERTY);
        if (configured == null || configured.isBlank()) {
            throw new EmbeddedServerFailed("The system property " + PROPERTY
                    + " is not set, so the embedded PostgreSQL and Kafka cannot be found. Start with ./plane up,"
                    + " or name servers of your own with --postgres and --kafka.");
        }
        return new EmbeddedLibraries(Path.of(configured));
    }

    Path postgresJar() {
        List<Path> jars = jarsIn(root.resolve("postgres"));
        if (jars.size() != 1) {
            throw new EmbeddedServerFailed("Expected one jar with PostgreSQL in " + root.resolve("postgres")
                    + " but found " + jars.size() + ". Build again from a clean tree (./mvnw clean package).");
        }
        return jars.getFirst();
    }

    String kafkaClassPath() {
        List<Path> jars = jarsIn(root.resolve("kafka"));
        if (jars.isEmpty()) {
            throw new EmbeddedServerFailed(
                    "No jars of Kafka in " + root.resolve("kafka") + ". Build again (./mvnw package).");
        }
        // One by one and in order: a start-up cache is good for just the class path that it was made with.
        return jars.stream().map(Path::toString).collect(Collectors.joining(":"));
    }

    /** What {@code ./plane learn} made for Kafka's JVM; the JVM itself sees whether it fits. Empty when there is none. */
    Optional<Path> kafkaStartUpCache() {
        return Optional.of(root.resolve("kafka.aot")).filter(Files::isRegularFile);
    }

    private static List<Path> jarsIn(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (var files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".jar"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new EmbeddedServerFailed("Cannot read " + folder, e);
        }
    }
}
