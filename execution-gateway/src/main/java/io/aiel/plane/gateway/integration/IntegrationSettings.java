package io.aiel.plane.gateway.integration;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * What bounds connections and their calls.
 *
 * @param kekFile the keys that credentials are sealed under
 * @param transit the service with the key that they are sealed under; with neither, no credentials are taken
 * @param privateHosts names that may resolve to addresses that no public name rightly has
 * @param projectMax connections of one project
 * @param callsPerMinute of one connection on one server, and the most that a connection may say
 * @param atOnceMax calls of one connection at the same time on one server
 * @param allAtOnceMax of all
 * @param callTimeout for one call
 * @param callTimeoutMax the most that a connection may say
 * @param resultBytesMax the largest result
 * @param resultsKept how long the result of a call with a key can be given again
 * @param callsKept how long calls are known
 * @param idleMax connections to databases kept open for the next call
 * @param idleTimeout how long one is kept
 * @param statementTimeout for one statement or transaction in the plane's own database
 */
public record IntegrationSettings(
        Optional<Path> kekFile,
        Optional<TransitSettings> transit,
        Set<String> privateHosts,
        int projectMax,
        int callsPerMinute,
        int atOnceMax,
        int allAtOnceMax,
        Duration callTimeout,
        Duration callTimeoutMax,
        int resultBytesMax,
        Duration resultsKept,
        Duration callsKept,
        int idleMax,
        Duration idleTimeout,
        Duration statementTimeout) {
    /** Throws {@link IllegalArgumentException} that says what is wrong. */
    public IntegrationSettings {
        privateHosts = Set.copyOf(privateHosts);
        if (kekFile.isPresent() && transit.isPresent()) {
            throw new IllegalArgumentException(
                    "plane.integration.kek-file and plane.integration.transit.url are both set; credentials are sealed under one of them only");
        }
        if (projectMax < 0
                || callsPerMinute < 1
                || atOnceMax < 1
                || allAtOnceMax < 1
                || resultBytesMax < 1
                || idleMax < 0) {
            throw new IllegalArgumentException("plane.integration: a limit is below what it can be");
        }
        if (callTimeout.compareTo(Duration.ofMillis(100)) < 0 || callTimeoutMax.compareTo(callTimeout) < 0) {
            throw new IllegalArgumentException(
                    "plane.integration.call-timeout must be at least PT0.1S and at most plane.integration.call-timeout-max");
        }
    }
}
