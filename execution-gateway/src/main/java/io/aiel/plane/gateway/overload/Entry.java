package io.aiel.plane.gateway.overload;

/** What the gate says to a request. */
public sealed interface Entry permits Entry.Refused, Place {
    /** There is no place for it; nothing was written and nothing ran. */
    record Refused(Reason reason) implements Entry {}

    /** Why there is none. */
    enum Reason {
        /** The request's project holds its share, or all that one project may hold. */
        PROJECT,
        /** The project holds less than its share, and too many wait already. */
        NODE,
        /** Likewise, and none became free in time. */
        WAITED
    }
}
