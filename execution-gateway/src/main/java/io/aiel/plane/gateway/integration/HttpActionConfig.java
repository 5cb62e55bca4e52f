package io.aiel.plane.gateway.integration;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** Calls of outside systems over HTTP. */
@ConfigMapping(prefix = "plane.integration.http")
public interface HttpActionConfig {
    /** Certificates (PEM) that are trusted for calls of outside systems; absent means those that Java trusts on this host. */
    Optional<Path> caFile();

    /** Calls that this server makes at once; what comes beyond is refused. */
    @WithDefault("64")
    int inHandMax();

    /** For resolving the name, and for connecting including TLS. */
    @WithDefault("5S")
    Duration connectTimeout();

    /** The longest body that is sent. */
    @WithDefault("1048576")
    int requestBytesMax();

    /** The longest body of an answer that is read. */
    @WithDefault("4194304")
    int responseBytesMax();
}
