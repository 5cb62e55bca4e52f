package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.WorkerEvent;
import io.aiel.plane.vocabulary.ErrorCode;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Loads snapshots in workers of their own to say what they declare, or why they do not load. Few at a time, and a bounded number
 * waits. Thread-safe.
 */
final class Describer {
    private static final System.Logger LOG = System.getLogger(Describer.class.getName());
    private static final int WAITING_MAX = 64;

    private final HydratorSettings settings;
    private final WorkerBundles bundles;
    private final WorkerForks forks;
    private final ExecutorService starts;
    private final Semaphore places;
    private final AtomicInteger waiting = new AtomicInteger();

    /** @param starts where workers are started and waited for, which blocks */
    Describer(HydratorSettings settings, WorkerBundles bundles, WorkerForks forks, ExecutorService starts) {
        this.settings = settings;
        this.bundles = bundles;
        this.forks = forks;
        this.starts = starts;
        this.places = new Semaphore(settings.pools().describesMax());
    }

    /** Never fails exceptionally: what cannot be done is {@link DescribeReport.Unavailable}. */
    CompletionStage<DescribeReport> describe(SnapshotFiles files) {
        CompletableFuture<DescribeReport> report = new CompletableFuture<>();
        if (waiting.incrementAndGet() > WAITING_MAX) {
            waiting.decrementAndGet();
            report.complete(new DescribeReport.Unavailable(
                    ErrorCode.CAPACITY_EXHAUSTED, "too many snapshots wait for validation; try again later"));
            return report;
        }
        starts.execute(() -> {
            try {
                report.complete(describeNow(files));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                report.complete(new DescribeReport.Unavailable(ErrorCode.NOT_READY, "the server stops"));
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "describing a snapshot failed", e);
                report.complete(new DescribeReport.Unavailable(ErrorCode.INTERNAL, "the validation failed; try again"));
            } finally {
                waiting.decrementAndGet();
            }
        });
        return report;
    }

    private DescribeReport describeNow(SnapshotFiles files) throws InterruptedException {
        long wait = settings.times().queueMax().toMillis()
                + settings.times().describeMax().toMillis();
        try {
            // A bundle that is being installed must not hold a place that others could use.
            bundles.take(files.bundle(), settings.times().startMax());
        } catch (HydratorFailure e) {
            return new DescribeReport.Unavailable(ErrorCode.NOT_READY, String.valueOf(e.getMessage()));
        }
        if (!places.tryAcquire(wait, TimeUnit.MILLISECONDS)) {
            return new DescribeReport.Unavailable(ErrorCode.CAPACITY_EXHAUSTED, "no worker for validation became free");
        }
        try {
            Worker worker = forks.single(files, settings.limits());
            try {
                Worker.Start start =
                        worker.start().get(settings.times().describeMax().toMillis(), TimeUnit.MILLISECONDS);
                return report(start);
            } catch (TimeoutException e) {
                Death why = new Death(
                        ErrorCode.TIMEOUT,
                        "it did not end within "
                                + settings.times().describeMax().toMillis() + " ms",
                        0,
                        0);
                worker.giveUpStart(why);
                // Told once the process is gone: what stands at its memory limit is out of memory, not slow.
                return report(worker.start().get());
            } finally {
                worker.stop();
            }
        } catch (HydratorFailure e) {
            return new DescribeReport.Unavailable(ErrorCode.NOT_READY, String.valueOf(e.getMessage()));
        } catch (ExecutionException e) {
            throw new IllegalStateException("a start never fails exceptionally", e);
        } finally {
            places.release();
        }
    }

    private static DescribeReport report(Worker.Start start) {
        return switch (start) {
            case Worker.Start.Loaded(WorkerEvent.Ready ready) ->
                new DescribeReport.Loaded(
                        ready.snapshotId(),
                        ready.describe(),
                        ready.exports(),
                        ready.sdkVersion(),
                        ready.runtimeVersion(),
                        ready.loadMs());
            case Worker.Start.Refused refused
            when refused.bySandbox() ->
                new DescribeReport.Unavailable(
                        ErrorCode.NOT_READY, refused.problems().getFirst().message());
            case Worker.Start.Refused(List<WorkerEvent.Problem> problems) ->
                new DescribeReport.Rejected(problems.stream()
                        .map(problem -> new DescribeReport.Finding(
                                problem.code(), problem.message(), problem.file(), problem.line()))
                        .toList());
            case Worker.Start.Died(Death death) -> rejected(death.code(), "loading the snapshot: " + death.detail());
        };
    }

    private static DescribeReport rejected(ErrorCode code, String message) {
        return new DescribeReport.Rejected(
                List.of(new DescribeReport.Finding(code.name(), message, Optional.empty(), Optional.empty())));
    }
}
