package io.aiel.plane.registry.snapshot;

import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.HttpRoutes;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.registry.files.TreeChanged;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.hibernate.reactive.mutiny.Mutiny;

/**
 * The registry on PostgreSQL. What snapshots export never changes and is kept in memory, bounded. What is current in an environment
 * is believed for {@code plane.registry.current-ttl}: a change through this node counts at once, one through another node after
 * that time at the latest. Within it a warm resolve does not ask the database. Thread-safe.
 */
@ApplicationScoped
public class PostgresCapabilityRegistry implements CapabilityRegistry {
    private static final int KNOWN_MAX = 20;

    private final Transactions transactions;
    private final SnapshotSealer sealer;
    private final long currentTtlNanos;
    private final Recent<InProject, Exported> exported;
    private final Recent<Environment, Current> current;
    // Counts what this node changed: what was read before a change must not be remembered after it.
    private final AtomicLong changes = new AtomicLong();

    public PostgresCapabilityRegistry(Transactions transactions, SnapshotSealer sealer, RegistryConfig config) {
        this.transactions = transactions;
        this.sealer = sealer;
        this.currentTtlNanos = config.currentTtl().toNanos();
        this.exported = new Recent<>(config.cachedSnapshotsMax());
        this.current = new Recent<>(config.cachedSnapshotsMax());
    }

    private record InProject(ProjectId project, Digest digest) {}

    private record Environment(ProjectId project, String name) {}

    /** A valid snapshot and what it exports. */
    private record Exported(
            SnapshotRef ref, String bundle, Map<CapabilityRef, Capability> capabilities, HttpRoutes routes) {}

    private record Current(Optional<Digest> digest, long readAtNanos) {}

    void treeChanged(@Observes TreeChanged changed) {
        forget(changed.scope());
    }

    void currentChanged(@Observes CurrentChanged changed) {
        forget(changed.scope());
    }

    private void forget(ProjectScope scope) {
        changes.incrementAndGet();
        current.removeIf(key -> key.project().equals(scope.project()));
    }

    @Override
    public Uni<Resolution> resolve(ProjectScope scope, Target target, Optional<CapabilityRef> ref) {
        return switch (target) {
            case Target.Snapshot snapshot ->
                exported(scope, snapshot.digest())
                        .map(found -> found.map(in -> pick(scope, Optional.empty(), in, ref))
                                .orElseGet(() -> new Resolution.UnknownSnapshot(
                                        snapshot.digest().value())));
            case Target.Environment environment -> resolve(scope, environment.name(), ref);
        };
    }

    private Uni<Resolution> resolve(ProjectScope scope, String environment, Optional<CapabilityRef> ref) {
        return current(scope, environment).chain(found -> switch (found) {
            case Found.Nothing nothing ->
                Uni.createFrom().item(new Resolution.NothingDeployed(environment, nothing.rejected()));
            case Found.Unavailable unavailable ->
                Uni.createFrom().item(new Resolution.ValidationUnavailable(unavailable.detail()));
            case Found.Deployed deployed ->
                exported(scope, deployed.digest())
                        .map(in -> in.map(it -> pick(scope, Optional.of(environment), it, ref))
                                .orElseGet(() -> new Resolution.UnknownSnapshot(
                                        deployed.digest().value())));
        });
    }

    @Override
    public Uni<List<Capability>> capabilities(ProjectScope scope, Target target) {
        return switch (target) {
            case Target.Snapshot snapshot -> exported(scope, snapshot.digest()).map(PostgresCapabilityRegistry::all);
            case Target.Environment environment ->
                current(scope, environment.name()).chain(found -> switch (found) {
                    case Found.Deployed deployed ->
                        exported(scope, deployed.digest()).map(PostgresCapabilityRegistry::all);
                    case Found.Nothing _, Found.Unavailable _ ->
                        Uni.createFrom().item(List.<Capability>of());
                });
        };
    }

    private static List<Capability> all(Optional<Exported> exported) {
        return exported.map(in -> List.copyOf(in.capabilities().values())).orElse(List.of());
    }

    private static Resolution pick(
            ProjectScope scope, Optional<String> environment, Exported in, Optional<CapabilityRef> ref) {
        if (ref.isEmpty()) {
            return new Resolution.Found(
                    new ResolvedCapability(scope, environment, in.ref(), in.bundle(), Optional.empty()));
        }
        CapabilityRef wanted = ref.get();
        return find(in, wanted)
                .<Resolution>map(capability -> new Resolution.Found(
                        new ResolvedCapability(scope, environment, in.ref(), in.bundle(), Optional.of(capability))))
                .orElseGet(() -> new Resolution.UnknownCapability(
                        wanted.kind().wireName(), wanted.name(), names(in, wanted.kind())));
    }

    /** An HTTP handler is also found by a path that its own, with parameters, stands for. */
    private static Optional<Capability> find(Exported in, CapabilityRef wanted) {
        int blank = wanted.name().indexOf(' ');
        return Optional.ofNullable(in.capabilities().get(wanted))
                .or(() -> wanted.kind() == CapabilityKind.HTTP && blank > 0
                        ? in.routes()
                                .find(
                                        wanted.name().substring(0, blank),
                                        wanted.name().substring(blank + 1))
                        : Optional.empty());
    }

    private static List<String> names(Exported in, CapabilityKind kind) {
        return in.capabilities().keySet().stream()
                .filter(ref -> ref.kind() == kind)
                .map(CapabilityRef::name)
                .limit(KNOWN_MAX)
                .toList();
    }

    /** Where an environment leads. */
    private sealed interface Found {
        record Deployed(Digest digest) implements Found {}

        record Nothing(List<String> rejected) implements Found {}

        record Unavailable(String detail) implements Found {}
    }

    private Uni<Found> current(ProjectScope scope, String environment) {
        Environment key = new Environment(scope.project(), environment);
        Optional<Current> known = current.get(key).filter(this::fresh);
        if (known.flatMap(Current::digest).isPresent()) {
            return Uni.createFrom().item(new Found.Deployed(known.get().digest().get()));
        }
        // Only a push's environment follows the tree by itself.
        if (!environment.equals(Deployments.PUBLISHED_TO)) {
            return read(scope, key)
                    .map(state -> state.digest()
                            .<Found>map(Found.Deployed::new)
                            .orElseGet(() -> new Found.Nothing(List.of())));
        }
        return read(scope, key).chain(state -> state.unsealed() ? sealed(scope, key) : found(scope, state));
    }

    private boolean fresh(Current entry) {
        return System.nanoTime() - entry.readAtNanos() < currentTtlNanos;
    }

    private Uni<Found> sealed(ProjectScope scope, Environment key) {
        return sealer.seal(scope, false).chain(outcome -> switch (outcome) {
            case SealOutcome.Unavailable unavailable ->
                Uni.createFrom().item(new Found.Unavailable(unavailable.detail()));
            case SealOutcome.Sealed _, SealOutcome.Empty _, SealOutcome.NotNow _ ->
                read(scope, key).chain(state -> found(scope, state));
        });
    }

    /** What the database says of an environment. */
    private record State(boolean unsealed, Optional<Digest> digest) {}

    private Uni<State> read(ProjectScope scope, Environment key) {
        long before = changes.get();
        long startedAt = System.nanoTime();
        return transactions
                .run(session -> session.createNativeQuery("""
                                SELECT t.revision > t.sealed_revision,
                                    coalesce((SELECT d.digest FROM deployments d WHERE d.project_id = t.project_id
                                        AND d.environment = :environment ORDER BY d.sequence DESC LIMIT 1), '')
                                FROM project_trees t WHERE t.project_id = :project
                                """, Object[].class)
                        .setParameter("environment", key.name())
                        .setParameter("project", scope.project().value())
                        .getResultList())
                .map(rows -> rows.isEmpty() ? new State(false, Optional.empty()) : state(rows.getFirst()))
                .invoke(state -> {
                    boolean settled = !state.unsealed() || !key.name().equals(Deployments.PUBLISHED_TO);
                    if (settled && changes.get() == before) {
                        current.put(key, new Current(state.digest(), startedAt));
                    }
                });
    }

    private static State state(Object[] row) {
        String digest = (String) row[1];
        return new State((Boolean) row[0], digest.isEmpty() ? Optional.empty() : Optional.of(new Digest(digest)));
    }

    private Uni<Found> found(ProjectScope scope, State state) {
        return state.digest().isPresent()
                ? Uni.createFrom().item(new Found.Deployed(state.digest().get()))
                : newestRejection(scope).map(Found.Nothing::new);
    }

    private Uni<List<String>> newestRejection(ProjectScope scope) {
        return transactions.run(session -> session.createQuery(
                        "from SnapshotEntity s where s.project = :project and not s.valid order by s.id desc",
                        SnapshotEntity.class)
                .setParameter("project", scope.project().value())
                .setMaxResults(1)
                .getResultList()
                .map(rows -> rows.stream()
                        .flatMap(row -> row.view().findings().stream())
                        .map(PostgresCapabilityRegistry::sentence)
                        .toList()));
    }

    private static String sentence(SnapshotValidator.Finding finding) {
        String place = finding.file()
                .map(file -> file + finding.line().map(line -> ":" + line).orElse("") + ": ")
                .orElse("");
        return place + finding.message();
    }

    private Uni<Optional<Exported>> exported(ProjectScope scope, Digest digest) {
        InProject key = new InProject(scope.project(), digest);
        Optional<Exported> known = exported.get(key);
        return known.isPresent()
                ? Uni.createFrom().item(known)
                : transactions
                        .run(session -> load(session, key))
                        .invoke(loaded -> loaded.ifPresent(found -> exported.put(key, found)));
    }

    private static Uni<Optional<Exported>> load(Mutiny.Session session, InProject key) {
        return session.createQuery(
                        "from SnapshotEntity s where s.project = :project and s.digest = :digest and s.valid",
                        SnapshotEntity.class)
                .setParameter("project", key.project().value())
                .setParameter("digest", key.digest().value())
                .getResultList()
                .chain(rows -> rows.isEmpty()
                        ? Uni.createFrom().item(Optional.<Exported>empty())
                        : exports(session, rows.getFirst()).map(Optional::of));
    }

    private static Uni<Exported> exports(Mutiny.Session session, SnapshotEntity snapshot) {
        return session.createQuery("from CapabilityEntity c where c.snapshot = :snapshot", CapabilityEntity.class)
                .setParameter("snapshot", snapshot.id())
                .getResultList()
                .map(rows -> {
                    Map<CapabilityRef, Capability> capabilities = new LinkedHashMap<>();
                    rows.stream()
                            .map(CapabilityEntity::view)
                            .sorted(Comparator.comparing((Capability capability) ->
                                            capability.ref().kind())
                                    .thenComparing(
                                            capability -> capability.ref().name()))
                            .forEach(capability -> capabilities.put(capability.ref(), capability));
                    return new Exported(
                            snapshot.ref(), snapshot.bundle(), capabilities, HttpRoutes.of(capabilities.values()));
                });
    }
}
