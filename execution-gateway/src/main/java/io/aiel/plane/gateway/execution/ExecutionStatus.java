package io.aiel.plane.gateway.execution;

import java.util.Locale;

/** The states of an execution. All but {@link #RUNNING} are final. */
enum ExecutionStatus {
    RUNNING,
    DENIED,
    SUCCEEDED,
    FAILED,
    TIMED_OUT,
    KILLED,
    CANCELLED,
    LOST;

    String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
