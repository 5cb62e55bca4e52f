package io.aiel.plane.gateway.overload;

import com.netflix.concurrency.limits.Limit;
import com.netflix.concurrency.limits.limit.Gradient2Limit;
import com.netflix.concurrency.limits.limit.WindowedLimit;
import com.netflix.concurrency.limits.limit.window.PercentileSampleWindowFactory;
import java.util.concurrent.TimeUnit;

/**
 * The limit that follows the server's own latency: Gradient2 over the median of short windows. The median, because a single slow
 * transaction says nothing; windows, because one execution is no measure either.
 */
final class AdaptiveLimit {
    private static final int SAMPLES_PER_WINDOW_MAX = 256;

    private AdaptiveLimit() {}

    static Limit of(GateSettings settings) {
        return WindowedLimit.newBuilder()
                .minWindowTime(250, TimeUnit.MILLISECONDS)
                .maxWindowTime(1, TimeUnit.SECONDS)
                .sampleWindowFactory(PercentileSampleWindowFactory.of(0.5, SAMPLES_PER_WINDOW_MAX))
                .build(Gradient2Limit.newBuilder()
                        .initialLimit(settings.limitInitial())
                        .minLimit(settings.limitMin())
                        .maxConcurrency(settings.limitMax())
                        .rttTolerance(settings.tolerance())
                        .build());
    }
}
