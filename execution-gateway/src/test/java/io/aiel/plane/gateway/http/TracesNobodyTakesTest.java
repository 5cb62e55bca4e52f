package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Tracing is on only where somebody could see a trace. */
class TracesNobodyTakesTest {
    private static final String DISABLED = "quarkus.otel.sdk.disabled";
    private static final String SHARE = "quarkus.otel.traces.sampler.arg";

    @Test
    void isOffWhileTheShareOfExportedTracesIsNothing() {
        assertThat(with(Map.of(SHARE, "0.0")).getValue(DISABLED, boolean.class)).isTrue();
        assertThat(with(Map.of(SHARE, "0")).getValue(DISABLED, boolean.class)).isTrue();
    }

    @Test
    void isOnWhenSomeTracesAreExported() {
        assertThat(with(Map.of(SHARE, "0.01")).getValue(DISABLED, boolean.class))
                .isFalse();
        assertThat(with(Map.of()).getValue(DISABLED, boolean.class)).isFalse();
    }

    @Test
    void isWhatAnOperatorSays() {
        assertThat(with(Map.of(SHARE, "0.0", DISABLED, "false")).getValue(DISABLED, boolean.class))
                .isFalse();
        assertThat(with(Map.of(SHARE, "1.0", DISABLED, "true")).getValue(DISABLED, boolean.class))
                .isTrue();
    }

    private static SmallRyeConfig with(Map<String, String> said) {
        return new SmallRyeConfigBuilder()
                .withInterceptors(new TracesNobodyTakes())
                .withSources(new PropertiesConfigSource(new HashMap<>(said), "said", 250))
                .withDefaultValue(DISABLED, "false")
                .build();
    }
}
