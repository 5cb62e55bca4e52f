package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.registry.Cause;
import io.aiel.plane.registry.RegistryJournal;
import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;
import org.hibernate.reactive.mutiny.Mutiny;

/** Puts what the registry changes on the tenant's control stream, in the registry's own transaction. */
@Singleton
class AuditedRegistryJournal implements RegistryJournal {
    private final ControlAudit audit;

    AuditedRegistryJournal(ControlAudit audit) {
        this.audit = audit;
    }

    @Override
    public Uni<Void> changed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            String what,
            String subject,
            Map<String, String> facts) {
        return record(transaction, cause, scope, new AuditEvent.ControlChanged(what, subject, facts));
    }

    @Override
    public Uni<Void> sealed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            SnapshotRef snapshot,
            boolean valid,
            int findings) {
        return record(
                transaction,
                cause,
                scope,
                new AuditEvent.SnapshotSealed(scope, snapshot.digest(), snapshot.snapshotId(), valid, findings));
    }

    @Override
    public Uni<Void> deployed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            Digest snapshot,
            String environment,
            DeploymentId deployment) {
        return record(
                transaction,
                cause,
                scope,
                new AuditEvent.SnapshotDeployed(scope, snapshot, environment, deployment.value()));
    }

    private Uni<Void> record(Mutiny.Session transaction, Cause cause, ProjectScope scope, AuditEvent.OfControl event) {
        return audit.record(
                transaction,
                new AuditContext(
                        scope.tenant(),
                        Optional.of(scope.workspace()),
                        Optional.of(scope.project()),
                        cause.principal(),
                        cause.requestId(),
                        cause.traceparent()),
                event);
    }
}
