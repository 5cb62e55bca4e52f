package io.aiel.plane.gateway.integration;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** A key management service with the transit API of HashiCorp Vault and OpenBao, whose key credentials are sealed under. */
@ConfigMapping(prefix = "plane.integration.transit")
public interface TransitConfig {
    /** Where the service is, without /v1: https, or http to this host's own loopback; absent means that there is none. */
    Optional<String> url();

    /** Where its transit engine is mounted. */
    @WithDefault("transit")
    String mount();

    /** The name of the key there. */
    Optional<String> key();

    /** The file with the token for it; read again while the server runs. */
    Optional<Path> tokenFile();

    /** The namespace that the engine is in; absent means the root. */
    Optional<String> namespace();

    /** Certificates (PEM) that are trusted for it; absent means those that Java trusts on this host. */
    Optional<Path> caFile();

    /** How long one request may take, with everything. */
    @WithDefault("2S")
    Duration timeout();
}
