package io.aiel.plane.registry.snapshot;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.registry.Cause;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.RegistryJournal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.registry.files.FileStore;
import io.aiel.plane.registry.files.TreeChanged;
import io.aiel.plane.registry.files.Trees;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import jakarta.enterprise.event.Observes;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.logging.Logger;

/**
 * Makes snapshots of trees: takes a lease on the tree, reads it, has it validated, and writes snapshot, capabilities, deployment and
 * records in one transaction. A tree that is due is found again by any node, so a crash in between only delays. Thread-safe.
 */
@ApplicationScoped
public class SnapshotSealer {
    private static final Logger LOG = Logger.getLogger(SnapshotSealer.class);
    private static final Duration LEASE_MARGIN = Duration.ofSeconds(30);
    private static final Duration POLL = Duration.ofMillis(100);
    private static final int REQUIREMENTS_MAX = 500;
    private static final int REQUIREMENT_LENGTH_MAX = 1_000;

    private final Transactions transactions;
    private final RegistryConfig config;
    private final RegistryJournal journal;
    private final SnapshotValidator validator;
    private final SnapshotStore store;
    private final FileStore files;
    private final Deployments deployments;
    private final Event<CurrentChanged> changes;
    private final Vertx vertx;
    private final Clock clock = Clock.systemUTC();
    private final Map<ProjectId, Uni<SealOutcome>> running = new ConcurrentHashMap<>();
    private final AtomicBoolean sweeping = new AtomicBoolean();
    private volatile long sweepTimer = -1;

    public SnapshotSealer(
            Transactions transactions,
            RegistryConfig config,
            RegistryJournal journal,
            SnapshotValidator validator,
            SnapshotStore store,
            FileStore files,
            Deployments deployments,
            Event<CurrentChanged> changes,
            Vertx vertx) {
        this.transactions = transactions;
        this.config = config;
        this.journal = journal;
        this.validator = validator;
        this.store = store;
        this.files = files;
        this.deployments = deployments;
        this.changes = changes;
        this.vertx = vertx;
    }

    void start(@Observes StartupEvent started) {
        sweepTimer = vertx.setPeriodic(config.sealSweepInterval().toMillis(), _ -> sweep());
    }

    void stop(@Observes ShutdownEvent stopping) {
        vertx.cancelTimer(sweepTimer);
    }

    void treeChanged(@Observes TreeChanged changed) {
        // A little more than the quiet period, so that the tree is due when the timer fires.
        vertx.setTimer(config.quietPeriod().toMillis() + 20, _ -> sealQuietly(changed.scope()));
    }

    private void sealQuietly(ProjectScope scope) {
        attempt(scope, Mode.WHEN_QUIET)
                .subscribe()
                .with(
                        outcome -> {
                            if (outcome instanceof SealOutcome.Unavailable unavailable) {
                                LOG.warnf(
                                        "a tree could not be validated project=%s: %s",
                                        scope.project(), unavailable.detail());
                            }
                        },
                        failure -> LOG.warnf(failure, "a tree could not be sealed project=%s", scope.project()));
    }

    /** Finds what no timer of this node will seal: trees left over by a crash, put off, or held back by an upload. */
    private void sweep() {
        if (!sweeping.compareAndSet(false, true)) {
            return;
        }
        transactions
                .run(session -> session.createNativeQuery("""
                                SELECT tenant_id, workspace_id, project_id FROM project_trees
                                WHERE revision > sealed_revision AND seal_after <= clock_timestamp()
                                  AND (lease IS NULL OR lease_until < clock_timestamp())
                                ORDER BY seal_after LIMIT 20
                                """, Object[].class).getResultList())
                .onTermination()
                .invoke(() -> sweeping.set(false))
                .subscribe()
                .with(
                        rows -> rows.forEach(row -> sealQuietly(scope(row))),
                        failure -> LOG.debugf("unsealed trees could not be looked for: %s", failure.getMessage()));
    }

    private static ProjectScope scope(Object[] row) {
        return new ProjectScope(
                new TenantId((String) row[0]), new WorkspaceId((String) row[1]), new ProjectId((String) row[2]));
    }

    private enum Mode {
        /** Only when due: quiet for long enough and no upload open. */
        WHEN_QUIET,
        /** When there are unsealed changes. */
        WHEN_CHANGED,
        /** As before, and again when the tree's snapshot was rejected. */
        AGAIN_WHEN_REJECTED
    }

    /** How far a tree was sealed when it was looked at. */
    private record Progress(long revision, long sealedRevision, Optional<Digest> sealed) {
        boolean reached(long wanted) {
            return sealedRevision >= wanted;
        }
    }

    /**
     * Seals what the tree holds now, unless it is sealed already, and waits for it; what is changed meanwhile may be left out.
     *
     * @param again whether a tree whose snapshot was rejected is validated once more
     */
    public Uni<SealOutcome> seal(ProjectScope scope, boolean again) {
        Mode mode = again ? Mode.AGAIN_WHEN_REJECTED : Mode.WHEN_CHANGED;
        return progress(scope)
                .chain(start -> start.revision() == 0
                        ? Uni.createFrom().item(new SealOutcome.Empty())
                        : attempt(scope, mode).chain(outcome -> settle(scope, start.revision(), outcome, deadline())));
    }

    private long deadline() {
        return System.nanoTime() + config.sealWait().toNanos();
    }

    /** Goes on until the revision that the caller saw is sealed, by us or by another node. */
    private Uni<SealOutcome> settle(ProjectScope scope, long wanted, SealOutcome outcome, long deadline) {
        if (outcome instanceof SealOutcome.Unavailable) {
            return Uni.createFrom().item(outcome);
        }
        return progress(scope).chain(now -> {
            if (now.reached(wanted)) {
                return outcome instanceof SealOutcome.Sealed ? Uni.createFrom().item(outcome) : latest(scope, now);
            }
            if (System.nanoTime() > deadline) {
                return Uni.createFrom()
                        .item(new SealOutcome.Unavailable("The tree could not be sealed in time; try again shortly."));
            }
            return Uni.createFrom()
                    .voidItem()
                    .onItem()
                    .delayIt()
                    .by(POLL)
                    .chain(() -> attempt(scope, Mode.WHEN_CHANGED))
                    .chain(next -> settle(scope, wanted, next, deadline));
        });
    }

    private Uni<SealOutcome> latest(ProjectScope scope, Progress now) {
        return transactions.run(session -> Snapshots.find(
                        session, scope, now.sealed().map(Digest::value).orElse(""))
                .map(found -> found.<SealOutcome>map(row -> new SealOutcome.Sealed(row.view(), false))
                        .orElseGet(SealOutcome.Empty::new)));
    }

    private Uni<Progress> progress(ProjectScope scope) {
        return transactions.run(session -> session.createNativeQuery(
                        "SELECT revision, sealed_revision, coalesce(sealed_digest, '') FROM project_trees WHERE project_id ="
                                + " :project",
                        Object[].class)
                .setParameter("project", scope.project().value())
                .getResultList()
                .map(rows -> rows.isEmpty() ? new Progress(0, 0, Optional.empty()) : progress(rows.getFirst())));
    }

    private static Progress progress(Object[] row) {
        String digest = (String) row[2];
        return new Progress(
                ((Number) row[0]).longValue(),
                ((Number) row[1]).longValue(),
                digest.isEmpty() ? Optional.empty() : Optional.of(new Digest(digest)));
    }

    /** One attempt; joins the one that runs on this node, if any. */
    private Uni<SealOutcome> attempt(ProjectScope scope, Mode mode) {
        return Uni.createFrom()
                .deferred(() -> running.computeIfAbsent(
                        scope.project(),
                        project -> once(scope, mode)
                                .onTermination()
                                .invoke(() -> running.remove(project))
                                .memoize()
                                .indefinitely()));
    }

    /** The tree as the lease found it. */
    private record Leased(String token, long revision, Cause cause, List<SnapshotFile> files) {}

    private Uni<SealOutcome> once(ProjectScope scope, Mode mode) {
        return lease(scope, mode)
                .chain(leased -> leased.isEmpty()
                        ? Uni.createFrom().item(new SealOutcome.NotNow())
                        : seal(scope, leased.get())
                                .onFailure()
                                .call(() -> putOff(scope, leased.get().token())));
    }

    private Uni<Optional<Leased>> lease(ProjectScope scope, Mode mode) {
        String token = Ids.create("lease");
        String condition = switch (mode) {
            case WHEN_QUIET -> """
                    revision > sealed_revision AND seal_after <= clock_timestamp() AND NOT EXISTS (
                        SELECT 1 FROM uploads u WHERE u.project_id = :project AND u.state <> 'committed'
                          AND u.expires_at > clock_timestamp()
                          AND u.touched_at > clock_timestamp() - cast(:idle as double precision) * interval '1 millisecond')
                    """;
            case WHEN_CHANGED -> "revision > sealed_revision";
            case AGAIN_WHEN_REJECTED -> """
                    (revision > sealed_revision OR EXISTS (SELECT 1 FROM snapshots s
                        WHERE s.project_id = :project AND s.digest = sealed_digest AND NOT s.valid))
                    """;
        };
        return transactions.run(session -> {
            Mutiny.SelectionQuery<Object[]> query = session.createNativeQuery(
                            "UPDATE project_trees SET lease = :token, lease_until = clock_timestamp()"
                                    + " + cast(:lease as double precision) * interval '1 millisecond' WHERE project_id ="
                                    + " :project AND (lease IS NULL OR lease_until < clock_timestamp()) AND "
                                    + condition
                                    + " RETURNING revision, coalesce(changed_by, ''), request_id, traceparent",
                            Object[].class)
                    .setParameter("token", token)
                    .setParameter("lease", (double)
                            config.validateTimeout().plus(LEASE_MARGIN).toMillis())
                    .setParameter("project", scope.project().value());
            if (mode == Mode.WHEN_QUIET) {
                query.setParameter("idle", (double) config.uploadIdle().toMillis());
            }
            return query.getResultList()
                    .chain(rows -> rows.isEmpty()
                            ? Uni.createFrom().item(Optional.<Leased>empty())
                            : tree(session, scope).map(tree -> Optional.of(leased(token, rows.getFirst(), tree))));
        });
    }

    private static Leased leased(String token, Object[] row, List<SnapshotFile> tree) {
        String by = (String) row[1];
        return new Leased(
                token,
                ((Number) row[0]).longValue(),
                new Cause(by.isEmpty() ? Optional.empty() : Optional.of(new PrincipalId(by)), (String) row[2], (String)
                        row[3]),
                tree);
    }

    /** The tree's row is locked by the caller's transaction, so no commit can come in between. */
    private static Uni<List<SnapshotFile>> tree(Mutiny.Session session, ProjectScope scope) {
        return session.createNativeQuery(
                        "SELECT path, digest, size_bytes FROM project_files WHERE project_id = :project AND NOT deleted",
                        Object[].class)
                .setParameter("project", scope.project().value())
                .getResultList()
                .map(rows -> rows.stream()
                        .map(row -> new SnapshotFile(
                                (String) row[0], new Digest((String) row[1]), ((Number) row[2]).longValue()))
                        .sorted((one, other) -> SnapshotId.ORDER.compare(one.path(), other.path()))
                        .toList());
    }

    private Uni<SealOutcome> seal(ProjectScope scope, Leased leased) {
        Digest tree = Manifest.tree(leased.files());
        return validator
                .bundle(scope)
                .chain(bundle -> known(scope, tree, bundle)
                        .chain(known -> known.isPresent()
                                ? finish(scope, leased, known.get())
                                : judge(scope, leased, tree, bundle)));
    }

    /** The same files under the same bundle were judged valid before: that judgement holds. */
    private Uni<Optional<SnapshotEntity>> known(ProjectScope scope, Digest tree, String bundle) {
        return transactions.run(session -> session.createQuery(
                        "from SnapshotEntity s where s.project = :project and s.treeDigest = :tree and s.bundle = :bundle"
                                + " and s.valid order by s.id desc",
                        SnapshotEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("tree", tree.value())
                .setParameter("bundle", bundle)
                .setMaxResults(1)
                .getResultList()
                .map(rows -> rows.stream().findFirst()));
    }

    /** What the files say of themselves, read once. */
    private record Contents(String snapshotId, List<String> requirements) {}

    private Uni<SealOutcome> judge(ProjectScope scope, Leased leased, Digest tree, String bundle) {
        return contents(leased.files()).chain(contents -> {
            SnapshotValidator.Candidate candidate =
                    new SnapshotValidator.Candidate(scope, tree, contents.snapshotId(), bundle, leased.files());
            store.announce(new SnapshotContent(tree, bundle, leased.files()));
            return Uni.createFrom()
                    .deferred(() -> validator.validate(candidate))
                    .ifNoItem()
                    .after(config.validateTimeout())
                    .recoverWithItem(
                            () -> new SnapshotValidator.Validation.Unavailable("The validation took longer than "
                                    + config.validateTimeout().toMillis() + " ms."))
                    .onFailure()
                    .recoverWithItem(failure -> {
                        LOG.warnf(failure, "the validator failed project=%s", scope.project());
                        return new SnapshotValidator.Validation.Unavailable("The validation could not be done.");
                    })
                    .eventually(() -> store.withdraw(tree))
                    .chain(validation -> judged(scope, leased, candidate, contents, validation));
        });
    }

    private Uni<SealOutcome> judged(
            ProjectScope scope,
            Leased leased,
            SnapshotValidator.Candidate candidate,
            Contents contents,
            SnapshotValidator.Validation validation) {
        return switch (validation) {
            case SnapshotValidator.Validation.Valid valid -> {
                try {
                    List<JsonNode> exports = Exports.read(valid);
                    yield finish(
                            scope, leased, sealedValid(scope, leased, candidate, contents, valid, exports), exports);
                } catch (Exports.InvalidExports invalid) {
                    yield finish(
                            scope,
                            leased,
                            sealedRejected(scope, leased, candidate, contents, List.of(finding(invalid))),
                            List.of());
                }
            }
            case SnapshotValidator.Validation.Rejected rejected ->
                finish(
                        scope,
                        leased,
                        sealedRejected(scope, leased, candidate, contents, rejected.findings()),
                        List.of());
            case SnapshotValidator.Validation.Unavailable unavailable ->
                putOff(scope, leased.token()).replaceWith(new SealOutcome.Unavailable(unavailable.detail()));
        };
    }

    private static SnapshotValidator.Finding finding(Exports.InvalidExports invalid) {
        return new SnapshotValidator.Finding(
                "EXPORTS_INVALID", String.valueOf(invalid.getMessage()), Optional.empty(), Optional.empty());
    }

    private SnapshotEntity sealedValid(
            ProjectScope scope,
            Leased leased,
            SnapshotValidator.Candidate candidate,
            Contents contents,
            SnapshotValidator.Validation.Valid valid,
            List<JsonNode> exports) {
        return new SnapshotEntity(
                scope,
                Manifest.valid(
                        candidate.files(),
                        candidate.snapshotId(),
                        candidate.bundle(),
                        contents.requirements(),
                        valid,
                        exports),
                candidate,
                valid.sdkVersion(),
                valid.runtimeVersion(),
                true,
                "[]",
                leased.cause().principal(),
                clock.instant());
    }

    private SnapshotEntity sealedRejected(
            ProjectScope scope,
            Leased leased,
            SnapshotValidator.Candidate candidate,
            Contents contents,
            List<SnapshotValidator.Finding> findings) {
        return new SnapshotEntity(
                scope,
                Manifest.rejected(
                        candidate.files(), candidate.snapshotId(), candidate.bundle(), contents.requirements()),
                candidate,
                "",
                "",
                false,
                Findings.write(findings),
                leased.cause().principal(),
                clock.instant());
    }

    /** Reads every blob once, one at a time: a tree may be large. */
    private Uni<Contents> contents(List<SnapshotFile> tree) {
        SnapshotId id = new SnapshotId();
        return Multi.createFrom()
                .iterable(tree)
                .onItem()
                .transformToUniAndConcatenate(file -> files.blob(file.digest()).map(bytes -> {
                    id.add(file.path(), bytes);
                    return file.path().equals("requirements.txt") ? requirements(bytes) : List.<String>of();
                }))
                .collect()
                .asList()
                .map(lists -> new Contents(
                        id.hex(), lists.stream().flatMap(List::stream).toList()));
    }

    private static List<String> requirements(byte[] text) {
        return new String(text, StandardCharsets.UTF_8)
                .lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("#") && line.length() <= REQUIREMENT_LENGTH_MAX)
                .limit(REQUIREMENTS_MAX)
                .toList();
    }

    private Uni<SealOutcome> finish(ProjectScope scope, Leased leased, SnapshotEntity known) {
        return finish(scope, leased, known, List.of());
    }

    /** Everything that the seal changes, in one transaction. */
    private Uni<SealOutcome> finish(
            ProjectScope scope, Leased leased, SnapshotEntity snapshot, List<JsonNode> exports) {
        return transactions
                .run(session -> Trees.lock(session, scope)
                        .chain(() -> stillLeased(session, scope, leased.token()))
                        .chain(ours -> ours
                                ? write(session, scope, leased, snapshot, exports)
                                : Uni.createFrom().item(new SealOutcome.NotNow())))
                .invoke(_ -> changes.fire(new CurrentChanged(scope)));
    }

    private static Uni<Boolean> stillLeased(Mutiny.Session session, ProjectScope scope, String token) {
        return session.createNativeQuery(
                        "SELECT project_id FROM project_trees WHERE project_id = :project AND lease = :token",
                        String.class)
                .setParameter("project", scope.project().value())
                .setParameter("token", token)
                .getResultList()
                .map(rows -> !rows.isEmpty());
    }

    private Uni<SealOutcome> write(
            Mutiny.Session session,
            ProjectScope scope,
            Leased leased,
            SnapshotEntity snapshot,
            List<JsonNode> exports) {
        return Snapshots.find(session, scope, snapshot.ref().digest().value())
                .chain(existing -> existing.isPresent()
                        ? Uni.createFrom()
                                .item(new SealOutcome.Sealed(existing.get().view(), false))
                        : insert(session, scope, leased, snapshot, exports))
                .call(done -> markSealed(session, scope, leased, done.snapshot()))
                .call(done -> done.snapshot().valid()
                        ? publish(session, scope, leased.cause(), done.snapshot())
                        : Uni.createFrom().voidItem())
                .map(done -> (SealOutcome) done);
    }

    private Uni<SealOutcome.Sealed> insert(
            Mutiny.Session session,
            ProjectScope scope,
            Leased leased,
            SnapshotEntity snapshot,
            List<JsonNode> exports) {
        Object[] fileRows = leased.files().stream()
                .map(file -> new SnapshotFileEntity(snapshot.id(), file))
                .toArray();
        Object[] capabilityRows = exports.stream()
                .map(export -> new CapabilityEntity(snapshot.id(), Exports.capability(export), export.toString()))
                .toArray();
        Snapshot view = snapshot.view();
        return session.persist(snapshot)
                .chain(session::flush)
                .chain(() -> session.persistAll(fileRows))
                .chain(() -> session.persistAll(capabilityRows))
                .chain(session::flush)
                .chain(() -> journal.sealed(
                        session,
                        leased.cause(),
                        scope,
                        view.ref(),
                        view.valid(),
                        view.findings().size()))
                .replaceWith(new SealOutcome.Sealed(view, true));
    }

    private static Uni<Void> markSealed(Mutiny.Session session, ProjectScope scope, Leased leased, Snapshot snapshot) {
        return session.createNativeQuery(
                        "UPDATE project_trees SET sealed_revision = :revision, sealed_digest = :digest, lease = NULL,"
                                + " lease_until = NULL WHERE project_id = :project")
                .setParameter("revision", leased.revision())
                .setParameter("digest", snapshot.ref().digest().value())
                .setParameter("project", scope.project().value())
                .executeUpdate()
                .replaceWithVoid();
    }

    private Uni<Void> publish(Mutiny.Session session, ProjectScope scope, Cause cause, Snapshot snapshot) {
        return Deployments.current(session, scope, Deployments.PUBLISHED_TO)
                .chain(current -> current.map(deployed -> deployed.snapshot().equals(snapshot.ref()))
                                .orElse(false)
                        ? Uni.createFrom().voidItem()
                        : deployments
                                .append(
                                        session,
                                        scope,
                                        cause,
                                        Deployments.PUBLISHED_TO,
                                        snapshot.ref(),
                                        "push",
                                        Optional.empty())
                                .replaceWithVoid());
    }

    /** Gives the lease back and tries again later. */
    private Uni<Void> putOff(ProjectScope scope, String token) {
        return transactions.run(session -> session.createNativeQuery(
                        "UPDATE project_trees SET lease = NULL, lease_until = NULL, seal_after = clock_timestamp()"
                                + " + cast(:retry as double precision) * interval '1 millisecond' WHERE project_id = :project"
                                + " AND lease = :token")
                .setParameter("retry", (double) config.validateRetry().toMillis())
                .setParameter("project", scope.project().value())
                .setParameter("token", token)
                .executeUpdate()
                .replaceWithVoid());
    }
}
