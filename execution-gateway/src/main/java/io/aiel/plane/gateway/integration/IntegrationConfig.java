package io.aiel.plane.gateway.integration;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Connections of projects to outside systems. */
@ConfigMapping(prefix = "plane.integration")
public interface IntegrationConfig {
    /** The file with the keys that credentials are sealed under: one a line, 32 bytes in hex or base64, the one in use first; absent means that no credentials are taken, unless {@link TransitConfig} names a service. */
    Optional<Path> kekFile();

    /** Names that connections may go to although they resolve to private, loopback or reserved addresses; absent means none may. */
    Optional<List<String>> privateHosts();

    /** Connections of one project; 0 means that there are none. */
    @WithDefault("100")
    int projectMax();

    /** Calls of one connection a minute on one server, where the connection says nothing else; and the most that one may say. */
    @WithDefault("600")
    int callsPerMinute();

    /** Calls of one connection at the same time on one server. */
    @WithDefault("16")
    int atOnceMax();

    /** Calls of all connections at the same time on one server. */
    @WithDefault("256")
    int allAtOnceMax();

    /** How long a call may take, where the connection says nothing else. */
    @WithDefault("30S")
    Duration callTimeout();

    /** The most that a connection may say for that. */
    @WithDefault("2M")
    Duration callTimeoutMax();

    /** The largest result of a call, bytes. */
    @WithDefault("1048576")
    int resultBytesMax();

    /** How long the result of a call with an idempotency key can be given again. */
    @WithDefault("24H")
    Duration resultsKept();

    /** How long it is known which calls were made. */
    @WithDefault("30D")
    Duration callsKept();

    /** Connections to databases that are kept open for the next call, of each kind. */
    @WithDefault("64")
    int idleMax();

    /** How long one of them is kept. */
    @WithDefault("30S")
    Duration idleTimeout();

    /** How often it is looked for calls whose end is not known, and for credentials to be sealed under the newest key. */
    @WithDefault("15S")
    Duration lookEvery();

    /** How long one statement or transaction in the plane's own database may take. */
    @WithDefault("5S")
    Duration statementTimeout();
}
