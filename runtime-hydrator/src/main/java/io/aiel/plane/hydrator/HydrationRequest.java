package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * One request for a worker.
 *
 * @param target what to run
 * @param runnerRequest the runner request of the wire contract, with ids and trace filled in
 * @param timeout how long it may run from the hand-over on
 * @param environment what the code finds in its environment for this execution alone
 * @param network it asked for a network; it gets one only as far as the policy's obligations name hosts
 * @param subprocess it asked for processes of its own; likewise
 * @param queued it comes out of the queue: nobody waits for its answer
 * @param plane what lets its code ask the plane's own API; empty when it may not
 */
public record HydrationRequest(
        ExecutionId execution,
        ResolvedCapability target,
        JsonText runnerRequest,
        Duration timeout,
        Map<String, String> environment,
        boolean network,
        boolean subprocess,
        boolean queued,
        Optional<PlaneAccess> plane) {
    /** A request for computing alone. */
    public HydrationRequest(
            ExecutionId execution,
            ResolvedCapability target,
            JsonText runnerRequest,
            Duration timeout,
            Map<String, String> environment) {
        this(execution, target, runnerRequest, timeout, environment, false, false, false, Optional.empty());
    }

    public HydrationRequest {
        environment = Map.copyOf(environment);
    }

    @Override
    public String toString() {
        return "HydrationRequest(" + execution + ", " + target + ")";
    }
}
