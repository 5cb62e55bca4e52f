package io.aiel.plane.gateway.app;

import io.aiel.plane.gateway.identity.Runtimes;
import io.aiel.plane.hydrator.Hydrator;
import jakarta.inject.Singleton;
import java.util.Set;

/** The hydrator's bundles, for projects to choose from. Thread-safe. */
@Singleton
class HydratorRuntimes implements Runtimes {
    private final Hydrator hydrator;

    HydratorRuntimes(Hydrator hydrator) {
        this.hydrator = hydrator;
    }

    @Override
    public Set<String> names() {
        return hydrator.bundles();
    }

    @Override
    public void prepare(String name) {
        hydrator.prepare(name);
    }
}
