package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.NetworkHost;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One execution on its way through the hydrator. Ends once: whoever decides the end first wins. Thread-safe. */
final class Job implements RunningExecution {
    private static final System.Logger LOG = System.getLogger(Job.class.getName());

    /** Why the job ends. */
    record End(ErrorCode code, String detail) {
        /** The worker's own answer, not a decision of the server. */
        static final End ANSWERED = new End(ErrorCode.INTERNAL, "");
    }

    private final HydrationRequest request;
    private final Duration timeout;
    private final List<NetworkHost> hosts;
    private final WorkerListener listener;
    private final Consumer<Job> onCancel;
    private final long created = System.nanoTime();
    private final CompletableFuture<ExecutionOutcome> outcome = new CompletableFuture<>();
    private final AtomicReference<Optional<End>> end = new AtomicReference<>(Optional.empty());
    /** Completes when nobody waits for chunks any more. */
    private final CompletableFuture<Void> noMoreChunks = new CompletableFuture<>();

    private volatile boolean cancelled;
    private volatile boolean handed;
    private volatile @Nullable Future<?> patience;

    /** @param hosts that it may reach, when its worker has a network */
    Job(
            HydrationRequest request,
            Duration timeout,
            List<NetworkHost> hosts,
            WorkerListener listener,
            Consumer<Job> onCancel) {
        this.hosts = List.copyOf(hosts);
        this.request = request;
        this.timeout = timeout;
        this.listener = listener;
        this.onCancel = onCancel;
    }

    HydrationRequest request() {
        return request;
    }

    Duration timeout() {
        return timeout;
    }

    List<NetworkHost> hosts() {
        return hosts;
    }

    /** Records what a connection does; false when that failed. */
    CompletionStage<Boolean> tellEgress(EgressEvent event) {
        try {
            return listener.egress(event);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a listener failed for " + request.execution(), e);
            return CompletableFuture.completedFuture(false);
        }
    }

    long created() {
        return created;
    }

    /** Sets the timer that ends the waiting for a worker. */
    void patience(Future<?> timer) {
        patience = timer;
        if (handed) {
            timer.cancel(false);
        }
    }

    /** A worker has it. A timer that went on would keep the request in memory long after its end. */
    void waitsNoMore() {
        handed = true;
        Future<?> timer = patience;
        if (timer != null) {
            timer.cancel(false);
        }
    }

    /** True for the first decision alone. */
    boolean decide(End why) {
        Optional<End> now = end.get();
        boolean first = now.isEmpty() && end.compareAndSet(now, Optional.of(why));
        noMoreChunks.complete(null);
        return first;
    }

    Optional<End> decided() {
        return end.get();
    }

    boolean cancelRequested() {
        return cancelled;
    }

    /** Completes the outcome; later calls change nothing. */
    void settle(ExecutionOutcome result) {
        outcome.complete(result);
    }

    void tellStarted(String worker, JsonText isolation, boolean cold) {
        try {
            listener.started(worker, isolation, cold);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a listener failed for " + request.execution(), e);
        }
    }

    void tellLog(JsonText entry) {
        if (outcome.isDone()) {
            return;
        }
        try {
            listener.log(entry);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a listener failed for " + request.execution(), e);
        }
    }

    boolean takesChunks() {
        return listener.takesChunks();
    }

    /** Tells a chunk and waits until there is room for another, or nobody wants one. */
    void tellChunk(JsonText data) {
        if (noMoreChunks.isDone()) {
            return;
        }
        try {
            CompletableFuture.anyOf(listener.chunk(data).toCompletableFuture(), noMoreChunks)
                    .join();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a listener failed for " + request.execution(), e);
        }
    }

    @Override
    public CompletionStage<ExecutionOutcome> outcome() {
        return outcome.minimalCompletionStage();
    }

    @Override
    public void cancel() {
        if (!cancelled && !outcome.isDone()) {
            cancelled = true;
            noMoreChunks.complete(null);
            onCancel.accept(this);
        }
    }
}
