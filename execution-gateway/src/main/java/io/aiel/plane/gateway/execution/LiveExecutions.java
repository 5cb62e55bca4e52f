package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.RunningExecution;
import io.aiel.plane.vocabulary.ExecutionId;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The executions that this server is working on. Thread-safe. */
public final class LiveExecutions {
    private final Map<ExecutionId, Optional<RunningExecution>> live = new ConcurrentHashMap<>();
    private volatile boolean draining;

    void add(ExecutionId id) {
        live.put(id, Optional.empty());
    }

    void running(ExecutionId id, RunningExecution execution) {
        live.put(id, Optional.of(execution));
    }

    void remove(ExecutionId id) {
        live.remove(id);
    }

    boolean contains(ExecutionId id) {
        return live.containsKey(id);
    }

    /** Asks all workers to stop. */
    public void cancelAll() {
        live.values().forEach(execution -> execution.ifPresent(RunningExecution::cancel));
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
