package io.aiel.plane.gateway.http;

import io.smallrye.config.ConfigSourceInterceptor;
import io.smallrye.config.ConfigSourceInterceptorContext;
import io.smallrye.config.ConfigValue;
import io.smallrye.config.Priorities;
import jakarta.annotation.Priority;
import org.jspecify.annotations.Nullable;

/**
 * Leaves tracing off as long as the share of traces to export is 0: no trace could ever be seen, and each request and each
 * statement would still make spans with all their attributes. {@link RequestIds} then keeps the trace ids going. What an operator
 * says about the setting itself counts.
 */
@Priority(Priorities.APPLICATION)
public final class TracesNobodyTakes implements ConfigSourceInterceptor {
    private static final long serialVersionUID = 1L;
    private static final String DISABLED = "quarkus.otel.sdk.disabled";
    private static final String SHARE = "quarkus.otel.traces.sampler.arg";

    @Override
    public @Nullable ConfigValue getValue(ConfigSourceInterceptorContext context, String name) {
        @Nullable ConfigValue said = context.proceed(name);
        if (!name.equals(DISABLED) || (said != null && said.getConfigSourceOrdinal() > 0)) {
            return said;
        }
        @Nullable ConfigValue share = context.proceed(SHARE);
        return share == null || !isZero(share.getValue())
                ? said
                : ConfigValue.builder()
                        .withName(DISABLED)
                        .withValue("true")
                        .withRawValue("true")
                        .withConfigSourceName(TracesNobodyTakes.class.getName())
                        .build();
    }

    private static boolean isZero(@Nullable String share) {
        try {
            return share != null && Double.parseDouble(share) == 0;
        } catch (NumberFormatException e) {
            // Whoever reads the setting will say what is wrong with it.
            return false;
        }
    }
}
