package io.aiel.plane.gateway.app;

import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.HydratorStatus;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** Ready when an execution would find a worker under the demanded isolation; a server told to run none is not held up by it. */
@Readiness
@ApplicationScoped
class WorkerReadiness implements HealthCheck {
    private final Hydrator hydrator;
    private final HydratorConfig config;

    WorkerReadiness(Hydrator hydrator, HydratorConfig config) {
        this.hydrator = hydrator;
        this.config = config;
    }

    @Override
    public HealthCheckResponse call() {
        HydratorStatus status = hydrator.status();
        return HealthCheckResponse.named("workers")
                .status(status.ready() || !config.enabled())
                .withData("detail", status.detail())
                .withData("isolation", status.isolation().value())
                .withData("idle", status.workersIdle())
                .withData("busy", status.workersBusy())
                .build();
    }
}
