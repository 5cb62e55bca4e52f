package io.aiel.plane.gateway.registry;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.util.Map;

/** Projects that are soon full, and a sweep that runs all the time and removes few rows at once. */
public final class SmallLimits implements QuarkusTestProfile {
    static final int FILES = 5;
    static final int BYTES = 1_000;
    static final int SWEEP = 20;
    static final int UNCOMMITTED = 3_000;

    @Override
    public Map<String, String> getConfigOverrides() {
        return Map.of(
                "plane.registry.project-files-max",
                Integer.toString(FILES),
                "plane.registry.project-bytes-max",
                Integer.toString(BYTES),
                "plane.registry.uploads-bytes-max",
                Integer.toString(UNCOMMITTED),
                "plane.registry.sweep-interval",
                "50ms",
                "plane.registry.sweep-limit",
                Integer.toString(SWEEP));
    }
}
