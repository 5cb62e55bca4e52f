package io.aiel.plane.gateway.app;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.execution.QueueSettings;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.gateway.overload.GateSettings;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the gate and the queue are told where an operator leaves something open. */
class ExecutionAssemblyTest {
    private static GateSettings settings(Map<String, String> given) {
        SmallRyeConfig config = config(given, ConcurrencyConfig.class);
        return ExecutionAssembly.settings(
                config.getConfigMapping(ConcurrencyConfig.class), config.getConfigMapping(HydratorConfig.class));
    }

    private static QueueSettings queue(Map<String, String> given) {
        SmallRyeConfig config = config(given, QueueConfig.class);
        return ExecutionAssembly.settings(
                config.getConfigMapping(QueueConfig.class), config.getConfigMapping(HydratorConfig.class));
    }

    private static SmallRyeConfig config(Map<String, String> given, Class<?> mapping) {
        return new SmallRyeConfigBuilder()
                .addDiscoveredConverters()
                .withMapping(mapping)
                .withMapping(HydratorConfig.class)
                .withSources(new PropertiesConfigSource(given, "given", 100))
                .build();
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

    @Test
    void letsShortCodeOfTheQueueHaveThreeTimesAsManyPlaces() {
        QueueSettings settings = queue(Map.of());

        assertThat(settings.inHandMax()).isEqualTo(24);
        assertThat(settings.projectInHandMax()).isEqualTo(6);
        assertThat(settings.projectInHandShortMax()).isEqualTo(18);
    }

    @Test
    void runsNoMoreOfAProjectsQueueThanAnOperatorSays() {
        assertThat(queue(Map.of("plane.execution.queue.project-in-hand-max", "4"))
                        .projectInHandShortMax())
                .isEqualTo(4);
        assertThat(queue(Map.of("plane.execution.queue.in-hand-max", "7")).projectInHandShortMax())
                .isEqualTo(7);
        assertThat(queue(Map.of("plane.execution.queue.project-in-hand-short-max", "8"))
                        .projectInHandShortMax())
                .isEqualTo(8);
    }
}
