package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.SnapshotRef;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A sealed tree.
 *
 * @param row orders snapshots by time; the cursor of lists
 * @param valid whether it may be deployed and run
 * @param findings why it may not; empty when valid
 */
public record Snapshot(
        String row,
        SnapshotRef ref,
        String bundle,
        String sdkVersion,
        String runtimeVersion,
        boolean valid,
        List<SnapshotValidator.Finding> findings,
        long fileCount,
        long sizeBytes,
        Instant createdAt,
        Optional<PrincipalId> createdBy) {
    public Snapshot {
        findings = List.copyOf(findings);
    }
}
