package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.smallrye.mutiny.Uni;
import java.net.InetAddress;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Finds what a connection to a database goes to, and whom it trusts there. Thread-safe; resolving blocks, on threads of its own. */
final class StoreHosts implements AutoCloseable {
    private final CheckedResolver resolver;
    private final ExecutorService resolving = Executors.newVirtualThreadPerTaskExecutor();

    StoreHosts(CheckedResolver resolver) {
        this.resolver = resolver;
    }

    /** The address to connect to, checked; or fails with {@link RequestRefused}. */
    Uni<InetAddress> resolve(String host) {
        return Uni.createFrom()
                .item(() -> resolver.resolve(host))
                .runSubscriptionOn(resolving)
                .map(resolved -> switch (resolved) {
                    case CheckedResolver.Resolved.Unknown _ ->
                        throw new RequestRefused("unresolved", 502, "The name " + host + " has no address.");
                    case CheckedResolver.Resolved.Forbidden(var _, var range) ->
                        throw new RequestRefused(
                                "address_refused",
                                403,
                                "The address of " + host + " is " + range
                                        + "; an operator can allow the name with plane.integration.private-hosts.");
                    case CheckedResolver.Resolved.Address(var address) -> address;
                });
    }

    /** Whom the settings have it trust; empty when they want no TLS. Throws {@link RequestRefused} when {@code ca} holds no certificates. */
    static Optional<NamedTrust> trust(JsonNode settings) {
        if (settings.path("ssl").asText("verify-full").equals("disable")) {
            return Optional.empty();
        }
        try {
            return Optional.of(new NamedTrust(
                    settings.path("host").asText(),
                    Optional.of(settings.path("ca").asText()).filter(pem -> !pem.isEmpty())));
        } catch (IllegalArgumentException e) {
            throw new RequestRefused("invalid_settings", 422, "The setting ca holds no certificates.");
        }
    }

    @Override
    public void close() {
        resolving.shutdownNow();
    }
}
