package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.util.List;
import java.util.Objects;

/**
 * The files of a snapshot, by content address.
 *
 * @param key names the directory they are hydrated into; equal keys mean equal content
 * @param bundle the worker bundle
 */
public record SnapshotFiles(Digest key, String bundle, List<Entry> entries) {
    public SnapshotFiles {
        Objects.requireNonNull(key, "key");
        entries = List.copyOf(entries);
    }

    /**
     * One file.
     *
     * @param path POSIX, relative, already checked
     */
    public record Entry(String path, Digest digest, long sizeBytes) {}
}
