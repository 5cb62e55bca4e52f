package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.embedded.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The folder below which all state of one server lives.
 *
 * @param root the folder, absolute
 */
record DataFolder(Path root) {
    private static final String HOME_PROPERTY = "plane.home";
    private static final ObjectMapper JSON = new ObjectMapper();

    DataFolder {
        root = root.toAbsolutePath().normalize();
    }

    /** The one named, or {@code .plane} beside the program. */
    static DataFolder of(Optional<Path> named) {
        return new DataFolder(named.orElseGet(
                () -> Path.of(System.getProperty(HOME_PROPERTY, "")).resolve(".plane")));
    }

    Path tokenFile() {
        return root.resolve("dev-token");
    }

    Path postgres() {
        return root.resolve("postgres");
    }

    Path kafka() {
        return root.resolve("kafka");
    }

    Path logFile() {
        return root.resolve("logs").resolve("server.log");
    }

    /** The key of signed URLs, made at the first start; beside the database, not in it. */
    String signingKey() throws IOException {
        return key("signing-key");
    }

    /** The key that callback secrets are sealed with, likewise. */
    String sealingKey() throws IOException {
        return key("sealing-key");
    }

    /** The file with the keys that credentials of connections are sealed under; an operator can put newer ones before the first. */
    Path kekFile() throws IOException {
        key("credentials-keys");
        return root.resolve("credentials-keys");
    }

    private String key(String name) throws IOException {
        Path file = root.resolve(name);
        if (!Files.exists(file)) {
            byte[] key = new byte[32];
            new SecureRandom().nextBytes(key);
            PrivateFiles.write(file, HexFormat.of().formatHex(key) + "\n");
        }
        return Files.readString(file).strip();
    }

    private Path runningFile() {
        return root.resolve("running.json");
    }

    /** Remembers the address under which this process serves, for the other commands. */
    void writeRunning(String url) throws IOException {
        ObjectNode running = JSON.createObjectNode();
        running.put("url", url);
        running.put("pid", ProcessHandle.current().pid());
        PrivateFiles.write(runningFile(), running.toPrettyString() + "\n");
    }

    void deleteRunning() throws IOException {
        Files.deleteIfExists(runningFile());
    }

    /** The address of the server that runs on this folder; a killed server's file does not count. */
    Optional<String> runningUrl() {
        try {
            var running = JSON.readTree(Files.readString(runningFile()));
            return ProcessHandle.of(running.path("pid").asLong())
                            .filter(ProcessHandle::isAlive)
                            .isPresent()
                    ? Optional.of(running.path("url").asText())
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
