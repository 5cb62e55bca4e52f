package io.aiel.plane.gateway.app;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.gateway.overload.GateSettings;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the gate is told where an operator leaves something open. */
class ExecutionAssemblyTest {
    private static GateSettings settings(Map<String, String> given) {
        SmallRyeConfig config = new SmallRyeConfigBuilder()
                .addDiscoveredConverters()
                .withMapping(ConcurrencyConfig.class)
                .withMapping(HydratorConfig.class)
                .withSources(new PropertiesConfigSource(given, "given", 100))
                .build();
        return ExecutionAssembly.settings(
                config.getConfigMapping(ConcurrencyConfig.class), config.getConfigMapping(HydratorConfig.class));
    }

    /** Seen failing when the least limit is one and a half times the workers: 48 places, of which a lone project may have 42. */
    @Test
    void letsALoneProjectAlwaysHaveItsPlaces() {
        GateSettings settings = settings(Map.of());

        assertThat(settings.projectMax()).isEqualTo(64);
        assertThat(settings.limitMin()).isEqualTo(ExecutionGate.limitFor(64)).isEqualTo(73);
        assertThat(settings.limitMax()).isEqualTo(512);
    }

    @Test
    void followsAProjectMaxThatIsGiven() {
        GateSettings settings = settings(Map.of("plane.execution.concurrency.project-max", "1000"));

        assertThat(settings.limitMin()).isEqualTo(ExecutionGate.limitFor(1_000));
        assertThat(settings.limitMax()).isEqualTo(settings.limitMin());
    }

    @Test
    void neverPassesALimitThatIsGiven() {
        GateSettings settings = settings(Map.of(
                "plane.execution.concurrency.limit-max", "50", "plane.execution.concurrency.project-max", "1000"));

        assertThat(settings.limitMin()).isEqualTo(50);
        assertThat(settings.limitMax()).isEqualTo(50);
    }
}
