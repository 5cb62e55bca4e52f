package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.SnapshotRef;
import java.time.Instant;
import java.util.Optional;

/**
 * One act of making a snapshot current in an environment.
 *
 * @param sequence from 1 within the environment; the highest is what is current
 * @param cause {@code push}, {@code deploy} or {@code rollback}
 * @param restores for a rollback: the deployment whose snapshot it brought back
 */
public record Deployment(
        DeploymentId id,
        String environment,
        long sequence,
        SnapshotRef snapshot,
        String cause,
        Optional<DeploymentId> restores,
        Instant createdAt,
        Optional<PrincipalId> createdBy) {}
