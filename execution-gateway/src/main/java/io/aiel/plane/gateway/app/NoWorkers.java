package io.aiel.plane.gateway.app;

import io.aiel.plane.hydrator.DescribeReport;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.hydrator.Hydrator;
import io.aiel.plane.hydrator.HydratorStatus;
import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The hydrator of a server that was told to run no workers: it refuses everything and says so. */
final class NoWorkers implements Hydrator {
    private static final String WHY = "this server runs no workers (plane.hydrator.enabled=false)";

    @Override
    public RunningExecution run(HydrationRequest request, Decision.Allow allow, WorkerListener listener) {
        return new RunningExecution() {
            @Override
            public CompletionStage<ExecutionOutcome> outcome() {
                return CompletableFuture.completedStage(
                        new ExecutionOutcome.Ended(ErrorCode.NOT_READY, WHY, Usage.NONE));
            }

            @Override
            public void cancel() {}
        };
    }

    @Override
    public CompletionStage<DescribeReport> describe(SnapshotFiles files) {
        return CompletableFuture.completedStage(new DescribeReport.Unavailable(ErrorCode.NOT_READY, WHY));
    }

    @Override
    public Set<String> bundles() {
        return Set.of();
    }

    @Override
    public void prepare(String bundle) {}

    @Override
    public boolean runsWork() {
        return false;
    }

    @Override
    public HydratorStatus status() {
        return new HydratorStatus(false, WHY, new JsonText("{}"), 0, 0);
    }

    @Override
    public void close() {}
}
