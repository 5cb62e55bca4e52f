package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

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
    private final WorkerListener listener;
    private final Consumer<Job> onCancel;
    private final long created = System.nanoTime();
    private final CompletableFuture<ExecutionOutcome> outcome = new CompletableFuture<>();
    private final AtomicReference<Optional<End>> end = new AtomicReference<>(Optional.empty());
    private volatile boolean cancelled;

    Job(HydrationRequest request, Duration timeout, WorkerListener listener, Consumer<Job> onCancel) {
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

    long created() {
        return created;
    }

    /** True for the first decision alone. */
    boolean decide(End why) {
        Optional<End> now = end.get();
        return now.isEmpty() && end.compareAndSet(now, Optional.of(why));
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

    @Override
    public CompletionStage<ExecutionOutcome> outcome() {
        return outcome.minimalCompletionStage();
    }

    @Override
    public void cancel() {
        if (!cancelled && !outcome.isDone()) {
            cancelled = true;
            onCancel.accept(this);
        }
    }
}
