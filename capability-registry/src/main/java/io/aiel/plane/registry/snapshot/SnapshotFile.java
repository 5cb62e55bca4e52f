package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Digest;

/**
 * One file of a tree.
 *
 * @param path POSIX, relative, already checked
 */
public record SnapshotFile(String path, Digest digest, long sizeBytes) {}
