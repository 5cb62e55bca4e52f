package io.aiel.plane.gateway.app;

import io.aiel.plane.gateway.identity.ProjectSettings;
import io.aiel.plane.hydrator.DescribeReport;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.registry.snapshot.SnapshotValidator;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;

/** Judges trees by loading them in the hydrator's sandbox. Blocks nobody; completes on a thread of the hydrator. */
@Singleton
class SandboxValidator implements SnapshotValidator {
    private final Hydrator hydrator;
    private final ProjectSettings settings;

    SandboxValidator(Hydrator hydrator, ProjectSettings settings) {
        this.hydrator = hydrator;
        this.settings = settings;
    }

    @Override
    public Uni<String> bundle(ProjectScope scope) {
        return settings.runtimeNow(scope);
    }

    @Override
    public Uni<Validation> validate(Candidate candidate) {
        SnapshotFiles files = new SnapshotFiles(
                candidate.tree(),
                candidate.bundle(),
                candidate.files().stream()
                        .map(file -> new SnapshotFiles.Entry(file.path(), file.digest(), file.sizeBytes()))
                        .toList());
        return Uni.createFrom()
                .completionStage(() -> hydrator.describe(files))
                .map(report -> verdict(candidate, report));
    }

    private static Validation verdict(Candidate candidate, DescribeReport report) {
        return switch (report) {
            case DescribeReport.Loaded loaded
            when loaded.snapshotId().equals(candidate.snapshotId()) ->
                new Validation.Valid(loaded.sdkVersion(), loaded.runtimeVersion(), loaded.exports());
            // The worker saw other files than the registry has: nothing it says is about this tree.
            case DescribeReport.Loaded _ ->
                new Validation.Unavailable("the worker computed another snapshot_id than the registry");
            case DescribeReport.Rejected rejected ->
                new Validation.Rejected(rejected.findings().stream()
                        .map(finding -> new Finding(finding.code(), finding.message(), finding.file(), finding.line()))
                        .toList());
            case DescribeReport.Unavailable unavailable -> new Validation.Unavailable(unavailable.detail());
        };
    }
}
