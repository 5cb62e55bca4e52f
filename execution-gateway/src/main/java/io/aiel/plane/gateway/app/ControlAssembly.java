package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.PgOutbox;
import io.quarkus.arc.DefaultBean;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;

/** Makes what the control plane needs and nobody else has made: every bean here gives way to another of its type. */
class ControlAssembly {
    private static final OutboxBudget BUDGET = new OutboxBudget(1_000_000, 1L << 30);

    @Produces
    @Singleton
    @DefaultBean
    Clock clock() {
        return Clock.systemUTC();
    }

    @Produces
    @Singleton
    @DefaultBean
    PgOutbox outbox(Pool database) {
        PgOutbox outbox = new PgOutbox(database, BUDGET, Duration.ofSeconds(10), Duration.ofSeconds(2));
        outbox.start();
        return outbox;
    }

    void close(@Disposes PgOutbox outbox) {
        outbox.close();
    }

    @Produces
    @Singleton
    @DefaultBean
    ControlAudit controlAudit(PgOutbox outbox, Clock clock) {
        return new ControlAudit(new AuditCodec(clock), outbox);
    }
}
