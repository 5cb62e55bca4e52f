package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.util.concurrent.CompletionStage;

/** Where the hydrator gets snapshots that are not on this machine yet. Thread-safe. */
public interface SnapshotSource {
    /** The files of the snapshot with this digest; fails when there is none. */
    CompletionStage<SnapshotFiles> files(Digest snapshot);

    /** The bytes of a blob; the hydrator checks them against the digest. */
    CompletionStage<byte[]> blob(Digest digest);
}
