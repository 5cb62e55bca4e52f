package io.aiel.plane.gateway.app;

import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.hydrator.SnapshotSource;
import io.aiel.plane.registry.snapshot.SnapshotContent;
import io.aiel.plane.registry.snapshot.SnapshotStore;
import io.aiel.plane.vocabulary.Digest;
import jakarta.inject.Singleton;
import java.util.concurrent.CompletionStage;

/** Gives the hydrator what the registry stores. Any thread may call; the database answers on an event loop. */
@Singleton
class StoredSnapshots implements SnapshotSource {
    private final SnapshotStore store;

    StoredSnapshots(SnapshotStore store) {
        this.store = store;
    }

    @Override
    public CompletionStage<SnapshotFiles> files(Digest snapshot) {
        return store.files(snapshot).map(StoredSnapshots::files).subscribeAsCompletionStage();
    }

    @Override
    public CompletionStage<byte[]> blob(Digest digest) {
        return store.blob(digest).subscribeAsCompletionStage();
    }

    /** Keyed by the tree, so that what validation unpacked is there for the first execution. */
    private static SnapshotFiles files(SnapshotContent content) {
        return new SnapshotFiles(
                content.tree(),
                content.bundle(),
                content.files().stream()
                        .map(file -> new SnapshotFiles.Entry(file.path(), file.digest(), file.sizeBytes()))
                        .toList());
    }
}
