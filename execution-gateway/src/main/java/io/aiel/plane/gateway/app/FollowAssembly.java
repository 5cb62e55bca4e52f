package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.gateway.execution.ExecutionFollowers;
import io.aiel.plane.gateway.execution.Executions;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/** Makes what gives followers their records. */
class FollowAssembly {
    @Produces
    @Singleton
    ExecutionFollowers followers(Executions executions, AuditTrail trail, FollowConfig config, MeterRegistry meters) {
        ExecutionFollowers followers = new ExecutionFollowers(
                executions,
                trail,
                new ExecutionFollowers.Limits(config.max(), config.perProjectMax(), config.longest()));
        Gauge.builder("plane.followers", followers, ExecutionFollowers::size)
                .description("Readers who follow executions")
                .register(meters);
        // Of the framework's events none comes before it waits for the answers that are under way.
        Runtime.getRuntime().addShutdownHook(new Thread(followers::stop, "plane-followers-stop"));
        return followers;
    }
}
