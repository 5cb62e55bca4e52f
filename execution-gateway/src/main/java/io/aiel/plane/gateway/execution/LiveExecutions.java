package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.ExecutionId;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The executions that this server is working on. Thread-safe. */
public final class LiveExecutions {
    private static final int NOT_BEGUN_MAX = 10_000;

    private final Map<ExecutionId, Live> live = new ConcurrentHashMap<>();
    private final Set<ExecutionId> notBegun = Collections.newSetFromMap(new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<ExecutionId, Boolean> eldest) {
            return size() > NOT_BEGUN_MAX;
        }
    });
    private final Map<ExecutionId, CompletableFuture<Void>> watched = new ConcurrentHashMap<>();
    private volatile boolean draining;

    /** One of them. A cancellation that comes before the worker is known waits for it. */
    private static final class Live {
        private final CompletableFuture<Void> over = new CompletableFuture<>();
        private @Nullable RunningExecution running;
        private @Nullable DecisionId begunBy;
        private boolean cancelled;

        synchronized void running(DecisionId decision, RunningExecution execution) {
            running = execution;
            begunBy = decision;
            if (cancelled) {
                execution.cancel();
            }
        }

        synchronized @Nullable DecisionId begunBy() {
            return begunBy;
        }

        synchronized void cancel() {
            cancelled = true;
            if (running != null) {
                running.cancel();
            }
        }
    }

    void add(ExecutionId id) {
        synchronized (notBegun) {
            // A queued one whose start failed can be started again.
            notBegun.remove(id);
        }
        live.put(id, new Live());
    }

    /** It has been begun, by this decision, and its worker has it. */
    void running(ExecutionId id, DecisionId begunBy, RunningExecution execution) {
        Live one = live.get(id);
        if (one != null) {
            one.running(begunBy, execution);
        }
    }

    /** Those whose workers have them, and the decisions by which they were begun. */
    Map<ExecutionId, DecisionId> begun() {
        Map<ExecutionId, DecisionId> begun = new HashMap<>();
        live.forEach((id, one) -> {
            DecisionId by = one.begunBy();
            if (by != null) {
                begun.put(id, by);
            }
        });
        return begun;
    }

    /** Asks its worker to stop if it is still the attempt that was begun by this decision. */
    void cancel(ExecutionId id, DecisionId begunBy) {
        Live one = live.get(id);
        if (one != null && begunBy.equals(one.begunBy())) {
            one.cancel();
        }
    }

    void remove(ExecutionId id) {
        Live one = live.remove(id);
        if (one != null) {
            one.over.complete(null);
        }
        tellWatchers(id);
    }

    private void tellWatchers(ExecutionId id) {
        CompletableFuture<Void> watchers = watched.remove(id);
        if (watchers != null) {
            watchers.complete(null);
        }
    }

    /** It does not run, and never did: its admission failed, as far as this server knows. */
    void notBegun(ExecutionId id) {
        synchronized (notBegun) {
            notBegun.add(id);
        }
        remove(id);
    }

    /** Whether it is sure that it never ran. When so many admissions failed since that this was forgotten, it is not. */
    boolean surelyNotBegun(ExecutionId id) {
        synchronized (notBegun) {
            return notBegun.contains(id);
        }
    }

    boolean contains(ExecutionId id) {
        return live.containsKey(id);
    }

    /** Their ids, as they are now. */
    Set<ExecutionId> ids() {
        return Set.copyOf(live.keySet());
    }

    /** Completes when this server is done with it; is null when it does not work on it. */
    @Nullable
    CompletionStage<Void> over(ExecutionId id) {
        Live one = live.get(id);
        return one == null ? null : one.over.minimalCompletionStage();
    }

    /**
     * Completes when this server is next done with it, also when it does not work on it yet; perhaps never. Whoever asked gives up with
     * {@link #unwatch}.
     */
    CompletionStage<Void> watch(ExecutionId id) {
        return watched.computeIfAbsent(id, _ -> new CompletableFuture<>()).minimalCompletionStage();
    }

    /** Nobody waits for it any more; whoever does is told to look again. */
    void unwatch(ExecutionId id) {
        tellWatchers(id);
    }

    /** Asks its worker to stop; nothing happens when this server does not work on it. */
    void cancel(ExecutionId id) {
        Live one = live.get(id);
        if (one != null) {
            one.cancel();
        }
    }

    /** Asks all workers to stop. */
    public void cancelAll() {
        live.values().forEach(Live::cancel);
    }

    /** From now on new work is refused. */
    public void drain() {
        draining = true;
    }

    boolean draining() {
        return draining;
    }

    /** How many there are. */
    public int size() {
        return live.size();
    }
}
