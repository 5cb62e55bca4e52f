package io.aiel.plane.registry.snapshot;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/** Looks snapshots up. Thread-safe. */
@ApplicationScoped
public class Snapshots {
    private final Transactions transactions;

    public Snapshots(Transactions transactions) {
        this.transactions = transactions;
    }

    /** A snapshot with its canonical manifest. */
    public record Detailed(Snapshot snapshot, String manifest) {}

    /** What differs between two snapshots' files. */
    public record Difference(List<String> added, List<String> removed, List<String> changed) {}

    /** Newest first, at most {@code limit}, older than the row {@code before}. */
    public Uni<List<Snapshot>> list(ProjectScope scope, Optional<String> before, int limit) {
        return transactions.run(session -> session.createQuery(
                        "from SnapshotEntity s where s.project = :project and (:before = '' or s.id < :before) order by"
                                + " s.id desc",
                        SnapshotEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("before", before.orElse(""))
                .setMaxResults(limit)
                .getResultList()
                .map(rows -> rows.stream().map(SnapshotEntity::view).toList()));
    }

    /** The snapshot with this digest or snapshot id; a refusal {@code NOT_FOUND} when the project has none. */
    public Uni<Detailed> get(ProjectScope scope, String name) {
        return transactions.run(session -> find(session, scope, name)
                .map(found -> found.orElseThrow(RegistryRefusal::notFound))
                .map(row -> new Detailed(row.view(), row.manifest())));
    }

    /** What lies between two snapshots, from the first to the second. */
    public Uni<Difference> diff(ProjectScope scope, String from, String to) {
        return transactions.run(session -> digests(session, scope, from)
                .chain(before -> digests(session, scope, to).map(after -> difference(before, after))));
    }

    private static Uni<Map<String, String>> digests(Mutiny.Session session, ProjectScope scope, String name) {
        return find(session, scope, name)
                .map(found -> found.orElseThrow(RegistryRefusal::notFound))
                .chain(row -> SnapshotStore.files(session, row.id()))
                .map(files -> {
                    Map<String, String> digests = new LinkedHashMap<>();
                    files.forEach(file -> digests.put(file.path(), file.digest().value()));
                    return digests;
                });
    }

    static Difference difference(Map<String, String> before, Map<String, String> after) {
        List<String> added = new ArrayList<>();
        List<String> changed = new ArrayList<>();
        after.forEach((path, digest) -> {
            @Nullable String old = before.get(path);
            if (old == null) {
                added.add(path);
            } else if (!old.equals(digest)) {
                changed.add(path);
            }
        });
        List<String> removed = before.keySet().stream()
                .filter(path -> !after.containsKey(path))
                .toList();
        return new Difference(added, removed, changed);
    }

    /** By digest, else by snapshot id; the newest when several share a snapshot id. */
    static Uni<Optional<SnapshotEntity>> find(Mutiny.Session session, ProjectScope scope, String name) {
        return session.createQuery(
                        "from SnapshotEntity s where s.project = :project and (s.digest = :name or s.snapshotId = :name)"
                                + " order by s.id desc",
                        SnapshotEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("name", name)
                .setMaxResults(1)
                .getResultList()
                .map(rows -> rows.stream().findFirst());
    }
}
