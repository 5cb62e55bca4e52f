package io.aiel.plane.gateway.execution;

import java.util.Locale;

/** The states of an execution. All but {@link #QUEUED} and {@link #RUNNING} are final. */
enum ExecutionStatus {
    QUEUED,
    RUNNING,
    DENIED,
    SUCCEEDED,
    FAILED,
    TIMED_OUT,
    KILLED,
    CANCELLED,
    LOST,
    /** The last of several attempts failed. */
    DEAD_LETTER;

    /** Whether an execution with the status of this wire name goes on. */
    static boolean goesOn(String wireName) {
        return wireName.equals(QUEUED.wireName()) || wireName.equals(RUNNING.wireName());
    }

    String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
