package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.AuditSink;
import io.aiel.plane.audit.OutboxRelay;
import io.aiel.plane.audit.PgOutbox;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/**
 * Whether what happens could be recorded. Kafka being away does not make a server unready, a full backlog does; an integrity
 * alarm is shown, as refusing work would not mend it. Says no causes, as readiness is open to everybody.
 */
@Readiness
@Singleton
class AuditReadiness implements HealthCheck {
    private static final double FILL_REFUSED = 0.95;

    private final PgOutbox outbox;
    private final OutboxRelay relay;
    private final AuditSink sink;

    AuditReadiness(PgOutbox outbox, OutboxRelay relay, AuditSink sink) {
        this.outbox = outbox;
        this.relay = relay;
        this.sink = sink;
    }

    @Override
    public HealthCheckResponse call() {
        double fill = outbox.fill();
        OutboxRelay.Status relaying = relay.status();
        AuditSink.Status sinking = sink.status();
        return HealthCheckResponse.named("audit")
                .status(fill < FILL_REFUSED)
                .withData("outbox_fill_percent", Math.round(fill * 100))
                .withData(
                        "relay", relaying.trouble().isPresent() ? "retrying" : relaying.active() ? "active" : "waiting")
                .withData("sink", sinking.trouble().isPresent() ? "retrying" : "working")
                .withData("integrity_alarms_open", sinking.openAlarms())
                .build();
    }
}
