package io.aiel.plane.gateway.schedule;

import java.util.Locale;

/** What happens when a run is due and an earlier one has not ended. */
enum Overlap {
    /** It is queued all the same. */
    ALLOW,
    /** It is skipped. */
    FORBID,
    /** The earlier one is asked to stop, and it is queued. */
    REPLACE,
    /** It waits for the earlier one to end, if none does so already; then it is skipped. */
    QUEUE;

    String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
