package io.aiel.plane.gateway.app;

import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.util.Optional;

/** Whether what earlier starts left running is closed, so that nobody reads "running" of what a dead server ran. */
@Singleton
class RecoveryConcern implements ReadinessConcern {
    private final ExecutionAssembly executions;

    RecoveryConcern(ExecutionAssembly executions) {
        this.executions = executions;
    }

    @Override
    public String name() {
        return "recovery";
    }

    @Override
    public Uni<Optional<String>> objection() {
        return Uni.createFrom()
                .item(
                        executions.recovered()
                                ? Optional.empty()
                                : Optional.of("executions of an earlier start are being closed"));
    }
}
