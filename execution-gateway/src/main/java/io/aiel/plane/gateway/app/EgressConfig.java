package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What executions with a network may do; which hosts they reach is the policy's to say. */
@ConfigMapping(prefix = "plane.egress")
public interface EgressConfig {
    /** Names that may resolve to private, loopback or reserved addresses; absent means none may. */
    Optional<List<String>> privateHosts();

    /** Certificates (PEM) that workers trust; absent means those that the interpreter trusts on this host. */
    Optional<Path> caFile();

    /** Connections of one execution, refused ones included. */
    @WithDefault("256")
    int connectionsMax();

    /** Connections of one worker at once. */
    @WithDefault("32")
    int openMax();

    /** What one execution may send, MiB. */
    @WithDefault("64")
    int sentMibMax();

    /** What one execution may receive, MiB. */
    @WithDefault("256")
    int receivedMibMax();

    /** For resolving a name, and again for connecting. */
    @WithDefault("5S")
    Duration connectTimeout();

    /** How long a worker may take to say where it wants to go. */
    @WithDefault("10S")
    Duration headTimeout();

    /** How long a connection may be without a byte either way. */
    @WithDefault("120S")
    Duration idleTimeout();
}
