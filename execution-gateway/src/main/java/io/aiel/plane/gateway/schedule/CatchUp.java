package io.aiel.plane.gateway.schedule;

import java.util.Locale;

/** What happens to runs that were due while no server was there to begin them. */
enum CatchUp {
    /** They are missed. */
    NONE,
    /** The last of them is made up for. */
    LAST,
    /** All of them are, the oldest first. */
    ALL;

    String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
