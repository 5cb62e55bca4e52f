package io.aiel.plane.vocabulary;

import java.util.Objects;

/**
 * The content addresses of one snapshot.
 *
 * @param digest over the canonical manifest, which also covers bundle and contracts; the plane's own address
 * @param snapshotId as aiel-runtime computes it over the files: 64 hex digits
 */
public record SnapshotRef(Digest digest, String snapshotId) {
    public SnapshotRef {
        Objects.requireNonNull(digest, "digest");
        Objects.requireNonNull(snapshotId, "snapshotId");
    }
}
