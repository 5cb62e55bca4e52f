package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Decision;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/**
 * Runs capabilities in sandboxed workers hydrated from snapshots, and describes snapshots in the same sandbox. Thread-safe;
 * no method blocks the caller on a worker.
 */
public interface Hydrator extends AutoCloseable {
    /**
     * Runs one request. Takes the {@link Decision.Allow} so that running without a decision does not compile; its obligations
     * (time, memory, network) bind the worker.
     */
    RunningExecution run(HydrationRequest request, Decision.Allow allow, WorkerListener listener);

    /** Loads a snapshot's files in a sandbox without network and reports what it exports or why it cannot be loaded. */
    CompletionStage<DescribeReport> describe(SnapshotFiles files);

    /** The names of the worker bundles that this server has or can have. Reads a folder. */
    Set<String> bundles();

    /** Begins to install and start a bundle that does not serve yet, so that the first to need it need not wait; returns at once. */
    void prepare(String bundle);

    /**
     * Whether it runs anything: not before its start is over, nor after one that failed, nor while it stops. What it is asked to run then ends with
     * {@link io.aiel.plane.vocabulary.ErrorCode#NOT_READY}.
     */
    boolean runsWork();

    /** What is running and whether it is what the operator demanded. */
    HydratorStatus status();

    /** Ends all workers and zygotes and waits for them, at most the configured stop time. */
    @Override
    void close();
}
