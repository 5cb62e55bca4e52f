package io.aiel.plane.gateway.integration;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/** Settings for tests of runners: what a test is not about is out of its way. */
final class TestSettings {
    private TestSettings() {}

    /**
     * Without keys, for tests of one runner.
     *
     * @param limit of everything that takes time, but for how long a connection is idle
     * @param idleMax how many connections wait for the next call
     */
    static IntegrationSettings of(Set<String> privateHosts, Duration limit, int resultBytesMax, int idleMax) {
        return new IntegrationSettings(
                Optional.<Path>empty(),
                Optional.empty(),
                privateHosts,
                100,
                600,
                16,
                256,
                limit,
                limit,
                resultBytesMax,
                limit,
                limit,
                idleMax,
                Duration.ofMillis(300),
                limit);
    }
}
