package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Digest;
import java.util.List;

/**
 * The files of a snapshot.
 *
 * @param tree over the files alone: equal for snapshots that differ in their contracts or bundle only
 */
public record SnapshotContent(Digest tree, String bundle, List<SnapshotFile> files) {
    public SnapshotContent {
        files = List.copyOf(files);
    }
}
