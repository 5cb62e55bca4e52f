package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.PlaneAccess;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Lets the code of executions ask the plane's own API, where their project wants that. Thread-safe; does not block. */
@FunctionalInterface
public interface WorkerApi {
    /** What the code may ask with, from now until it is closed; empty when the project does not let its code ask. */
    Uni<Optional<Session>> open(Opening opening);

    /**
     * Whose code it is.
     *
     * @param execution where what it does is put; what it does not take on record does not happen
     * @param caller for whom it runs: it may do nothing there that the caller's roles do not allow
     * @param declaredActions what its capability says it does by integrations; empty for a kind that has no way to say
     * @param timeout how long it may run
     */
    record Opening(CallingExecution execution, Caller caller, Optional<Set<String>> declaredActions, Duration timeout) {
        public Opening {
            declaredActions = declaredActions.map(Set::copyOf);
        }
    }

    /** One execution's leave to ask. */
    interface Session extends AutoCloseable {
        /** For the worker. */
        PlaneAccess access();

        /** What the SDK looks for in the environment; has the token. */
        Map<String, String> environment();

        /** The execution is over: its token is nobody's from now on. */
        @Override
        void close();
    }
}
