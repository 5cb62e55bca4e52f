package io.aiel.plane.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class ReadinessTest {
    @Test
    void tellsWhatEachCheckSaysAndNothingOfThoseThatAreWell() throws Exception {
        var objections = Readiness.objections("""
                {"status": "DOWN", "checks": [
                  {"name": "workers", "status": "DOWN", "data": {"detail": "Installing the bundle", "idle": 0}},
                  {"name": "plane", "status": "DOWN", "data": {"policy": "ready", "database": "does not answer"}},
                  {"name": "audit", "status": "DOWN", "data": {"outbox_fill_percent": 97, "relay": "retrying"}},
                  {"name": "bare", "status": "DOWN"},
                  {"name": "kafka", "status": "UP", "data": {"detail": "fine"}}]}
                """);

        assertThat(objections)
                .containsExactly(
                        entry("workers", "Installing the bundle"),
                        entry("plane", "database: does not answer"),
                        entry("audit", "outbox fill percent: 97, relay: retrying"),
                        entry("bare", "bare"));
    }

    @Test
    void objectsToNothingWhenEverythingIsUp() throws IOException {
        assertThat(Readiness.objections("{\"status\": \"UP\", \"checks\": [{\"name\": \"a\", \"status\": \"UP\"}]}"))
                .isEmpty();
    }
}
