package io.aiel.plane.registry.snapshot;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.registry.files.FileStore;
import io.aiel.plane.vocabulary.Digest;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * The files of snapshots, by content address, for whoever hydrates them; who may run what was decided before. Thread-safe; may be
 * called from any thread.
 */
@ApplicationScoped
public class SnapshotStore {
    private final Transactions transactions;
    private final FileStore files;
    // Trees that this node is validating: they have no row yet. As many as validations run at a time.
    private final Map<Digest, SnapshotContent> candidates = new ConcurrentHashMap<>();

    public SnapshotStore(Transactions transactions, FileStore files) {
        this.transactions = transactions;
        this.files = files;
    }

    /** The files of the snapshot with this digest, or of the tree with it; a refusal {@code NOT_FOUND} when there is none. */
    public Uni<SnapshotContent> files(Digest snapshotOrTree) {
        @Nullable SnapshotContent candidate = candidates.get(snapshotOrTree);
        return candidate == null ? stored(snapshotOrTree) : Uni.createFrom().item(candidate);
    }

    /** The bytes of a blob. */
    public Uni<byte[]> blob(Digest digest) {
        return files.blob(digest);
    }

    void announce(SnapshotContent candidate) {
        candidates.put(candidate.tree(), candidate);
    }

    void withdraw(Digest tree) {
        candidates.remove(tree);
    }

    private Uni<SnapshotContent> stored(Digest digest) {
        return transactions.run(session -> session.createQuery(
                        "from SnapshotEntity s where s.digest = :digest or s.treeDigest = :digest order by s.id",
                        SnapshotEntity.class)
                .setParameter("digest", digest.value())
                .setMaxResults(1)
                .getResultList()
                .map(found -> found.stream().findFirst().orElseThrow(RegistryRefusal::notFound))
                .chain(snapshot -> files(session, snapshot.id())
                        .map(all -> new SnapshotContent(snapshot.tree(), snapshot.bundle(), all))));
    }

    static Uni<List<SnapshotFile>> files(Mutiny.Session session, String snapshot) {
        return session.createQuery("from SnapshotFileEntity f where f.snapshot = :snapshot", SnapshotFileEntity.class)
                .setParameter("snapshot", snapshot)
                .getResultList()
                .map(all -> all.stream()
                        .map(SnapshotFileEntity::view)
                        .sorted((one, other) -> SnapshotId.ORDER.compare(one.path(), other.path()))
                        .toList());
    }
}
