package io.aiel.plane.registry.snapshot;

import io.aiel.plane.registry.Cause;
import io.aiel.plane.registry.RegistryJournal;
import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.registry.files.Trees;
import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.hibernate.reactive.mutiny.Mutiny;

/** What is current where. Deployments are only added. Thread-safe. */
@ApplicationScoped
public class Deployments {
    /** Where a push goes by itself. */
    public static final String PUBLISHED_TO = "production";

    private static final Pattern ENVIRONMENT = Pattern.compile("[a-z][a-z0-9-]{0,62}");
    private static final int ROLLBACK_DEPTH_MAX = 1_000;

    private final Transactions transactions;
    private final RegistryJournal journal;
    private final Event<CurrentChanged> changes;
    private final Clock clock = Clock.systemUTC();

    public Deployments(Transactions transactions, RegistryJournal journal, Event<CurrentChanged> changes) {
        this.transactions = transactions;
        this.journal = journal;
        this.changes = changes;
    }

    /** Newest first, at most {@code limit}, older than the deployment {@code before}. */
    public Uni<List<Deployment>> list(
            ProjectScope scope, Optional<String> environment, Optional<DeploymentId> before, int limit) {
        return transactions.run(session -> session.createQuery(
                        "from DeploymentEntity d where d.project = :project and (:environment = '' or d.environment ="
                                + " :environment) and (:before = '' or d.id < :before) order by d.id desc",
                        DeploymentEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("environment", environment.orElse(""))
                .setParameter("before", before.map(DeploymentId::value).orElse(""))
                .setMaxResults(limit)
                .getResultList()
                .map(rows -> rows.stream().map(DeploymentEntity::view).toList()));
    }

    /** Makes a valid snapshot, named by digest or snapshot id, current in an environment. */
    public Uni<Deployment> deploy(ProjectScope scope, Cause cause, String environment, String snapshot) {
        checkEnvironment(environment);
        return transactions
                .run(session -> Trees.lock(session, scope)
                        .chain(() -> Snapshots.find(session, scope, snapshot))
                        .map(Deployments::deployable)
                        .chain(ref -> append(session, scope, cause, environment, ref, "deploy", Optional.empty())))
                .invoke(_ -> changes.fire(new CurrentChanged(scope)));
    }

    private static SnapshotRef deployable(Optional<SnapshotEntity> found) {
        SnapshotEntity snapshot = found.orElseThrow(RegistryRefusal::notFound);
        if (!snapshot.valid()) {
            throw new RegistryRefusal(
                    ErrorCode.SNAPSHOT_REJECTED,
                    "The snapshot did not pass validation, so it cannot be deployed; look at its findings.",
                    Map.of("snapshot", snapshot.ref().digest().value()));
        }
        return snapshot.ref();
    }

    /**
     * Brings back what was current before, or what the deployment {@code to} made current. Called again, it goes one further back.
     */
    public Uni<Deployment> rollback(ProjectScope scope, Cause cause, String environment, Optional<DeploymentId> to) {
        checkEnvironment(environment);
        return transactions
                .run(session -> Trees.lock(session, scope)
                        .chain(() -> history(session, scope, environment))
                        .map(history -> target(history, environment, to))
                        .chain(target -> append(
                                session,
                                scope,
                                cause,
                                environment,
                                target.snapshot(),
                                "rollback",
                                Optional.of(target.id()))))
                .invoke(_ -> changes.fire(new CurrentChanged(scope)));
    }

    private static Uni<List<Deployment>> history(Mutiny.Session session, ProjectScope scope, String environment) {
        return session.createQuery(
                        "from DeploymentEntity d where d.project = :project and d.environment = :environment order by"
                                + " d.sequence desc",
                        DeploymentEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("environment", environment)
                .setMaxResults(ROLLBACK_DEPTH_MAX)
                .getResultList()
                .map(rows -> rows.stream().map(DeploymentEntity::view).toList());
    }

    /** The deployment to bring back, out of an environment's history, newest first. */
    static Deployment target(List<Deployment> history, String environment, Optional<DeploymentId> to) {
        if (history.isEmpty()) {
            throw new RegistryRefusal(
                    ErrorCode.NO_DEPLOYMENT, "Nothing was ever deployed to the environment " + environment + ".");
        }
        if (to.isPresent()) {
            return history.stream()
                    .filter(deployment -> deployment.id().equals(to.get()))
                    .findFirst()
                    .orElseThrow(RegistryRefusal::notFound);
        }
        Deployment current = history.getFirst();
        // A rollback stands where the deployment stands that it brought back: the next one goes on from there.
        long from = current.restores()
                .flatMap(restored -> history.stream()
                        .filter(deployment -> deployment.id().equals(restored))
                        .findFirst())
                .map(Deployment::sequence)
                .orElse(current.sequence());
        return history.stream()
                .filter(deployment -> deployment.sequence() < from)
                .filter(deployment -> !deployment.snapshot().equals(current.snapshot()))
                .findFirst()
                .orElseThrow(() -> new RegistryRefusal(
                        ErrorCode.NO_DEPLOYMENT,
                        "The environment " + environment + " had no other snapshot before the current one."));
    }

    /** The snapshot that is current, in the session's transaction. */
    static Uni<Optional<Deployment>> current(Mutiny.Session session, ProjectScope scope, String environment) {
        return session.createQuery(
                        "from DeploymentEntity d where d.project = :project and d.environment = :environment order by"
                                + " d.sequence desc",
                        DeploymentEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("environment", environment)
                .setMaxResults(1)
                .getResultList()
                .map(rows -> rows.stream().findFirst().map(DeploymentEntity::view));
    }

    /** Adds a deployment; the tree must be locked, so that two cannot get the same number. */
    Uni<Deployment> append(
            Mutiny.Session session,
            ProjectScope scope,
            Cause cause,
            String environment,
            SnapshotRef snapshot,
            String why,
            Optional<DeploymentId> restores) {
        return current(session, scope, environment)
                .map(current -> new DeploymentEntity(
                        scope,
                        environment,
                        current.map(Deployment::sequence).orElse(0L) + 1,
                        snapshot,
                        why,
                        restores,
                        cause.principal(),
                        clock.instant()))
                .call(row -> session.persist(row).chain(session::flush))
                .map(DeploymentEntity::view)
                .call(deployment ->
                        journal.deployed(session, cause, scope, snapshot.digest(), environment, deployment.id()));
    }

    private static void checkEnvironment(String name) {
        if (!ENVIRONMENT.matcher(name).matches()) {
            throw new RegistryRefusal(
                    ErrorCode.VALIDATION_ERROR,
                    "/environment: 1 to 63 lower-case letters, digits and hyphens, beginning with a letter");
        }
    }
}
