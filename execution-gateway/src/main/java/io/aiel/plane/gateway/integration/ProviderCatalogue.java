package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The providers that this server knows and can speak to, out of {@code integrations/<provider>.json}. Immutable. */
final class ProviderCatalogue {
    private static final String FOLDER = "/integrations/";
    /** Resources of a jar cannot be listed in every class loader, so they are named; what is not there is not offered. */
    private static final List<String> KNOWN =
            List.of("firebase", "http", "jira", "mongodb", "openai", "postgres", "redis", "slack");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Provider> providers = new LinkedHashMap<>();

    /** @param runners what speaks to them; a provider that none of them serves is not offered */
    ProviderCatalogue(List<ActionRunner> runners) {
        for (String name : KNOWN) {
            try (InputStream file = ProviderCatalogue.class.getResourceAsStream(FOLDER + name + ".json")) {
                if (file != null && runners.stream().anyMatch(runner -> runner.serves(name))) {
                    Provider provider = Provider.of(JSON.readTree(file));
                    if (!provider.name().equals(name)) {
                        throw new IllegalStateException(FOLDER + name + ".json describes " + provider.name());
                    }
                    providers.put(name, provider);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(FOLDER + name + ".json", e);
            }
        }
    }

    Optional<Provider> find(String name) {
        return Optional.ofNullable(providers.get(name));
    }

    List<Provider> all() {
        return List.copyOf(providers.values());
    }
}
