package io.aiel.plane.gateway.app;

import io.smallrye.health.api.AsyncHealthCheck;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.inject.Any;
import jakarta.enterprise.inject.Instance;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/** Ready means that an execution would work: asks every {@link ReadinessConcern} at the same time. */
@Readiness
@Singleton
class ReadinessChecks implements AsyncHealthCheck {
    private static final Duration LIMIT = Duration.ofSeconds(2);

    private final List<ReadinessConcern> concerns;

    ReadinessChecks(@Any Instance<ReadinessConcern> concerns) {
        this.concerns = concerns.stream().toList();
    }

    @Override
    public Uni<HealthCheckResponse> call() {
        List<Uni<Map.Entry<String, Optional<String>>>> asked =
                concerns.stream().map(ReadinessChecks::ask).toList();
        if (asked.isEmpty()) {
            // Nobody to ask is not the same as nobody objecting.
            return Uni.createFrom()
                    .item(HealthCheckResponse.named("plane")
                            .down()
                            .withData("readiness", "nothing is checked")
                            .build());
        }
        return Uni.join().all(asked).andFailFast().map(answers -> {
            Map<String, Optional<String>> byName = new LinkedHashMap<>();
            answers.forEach(answer -> byName.put(answer.getKey(), answer.getValue()));
            HealthCheckResponseBuilder response = HealthCheckResponse.named("plane")
                    .status(byName.values().stream().allMatch(Optional::isEmpty));
            byName.forEach((name, objection) -> response.withData(name, objection.orElse("ready")));
            return response.build();
        });
    }

    private static Uni<Map.Entry<String, Optional<String>>> ask(ReadinessConcern concern) {
        return Uni.createFrom()
                .deferred(concern::objection)
                .ifNoItem()
                .after(LIMIT)
                .recoverWithItem(Optional.of("did not answer within " + LIMIT.toSeconds() + " s"))
                .onFailure()
                .recoverWithItem(failure ->
                        Optional.of("could not be asked: " + failure.getClass().getSimpleName()))
                .map(objection -> Map.entry(concern.name(), objection));
    }
}
