package io.aiel.plane.gateway.integration;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A server with a key for credentials, that may go to the test's own database, and looks for lost calls only when told to. */
public final class WithKeys implements QuarkusTestProfile {
    private static final Path KEYS = Path.of("target", "integration-keys").toAbsolutePath();

    @Override
    public Map<String, String> getConfigOverrides() {
        try {
            Files.writeString(KEYS, "ab".repeat(32) + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Map.of(
                "plane.integration.kek-file",
                KEYS.toString(),
                "plane.integration.private-hosts",
                "127.0.0.1",
                "plane.integration.look-every",
                "1H");
    }
}
