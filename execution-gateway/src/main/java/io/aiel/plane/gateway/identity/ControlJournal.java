package io.aiel.plane.gateway.identity;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Singleton;
import java.time.Duration;

/** Records what changed nothing, such as a denial, in a transaction of its own. Thread-safe; call from an event loop. */
@Singleton
final class ControlJournal {
    private static final Duration LIMIT = Duration.ofSeconds(2);

    private final Pool database;
    private final ControlAudit audit;

    ControlJournal(Pool database, ControlAudit audit) {
        this.database = database;
        this.audit = audit;
    }

    /** Completes when the record is committed; fails when it is not. */
    Uni<Void> record(AuditContext context, AuditEvent.OfControl event) {
        return database.withTransaction(transaction -> audit.record(transaction, context, event))
                .ifNoItem()
                .after(LIMIT)
                .fail();
    }
}
