package io.aiel.plane.gateway.execution;

import io.vertx.pgclient.PgException;
import org.jspecify.annotations.Nullable;

/** Tells a statement that PostgreSQL turned down for its data from a connection that broke. */
final class RefusedByDatabase {
    private RefusedByDatabase() {}

    /** Whether the cause is a data exception or constraint (SQLSTATE classes 22 and 23). */
    static boolean is(Throwable failure) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof PgException refused && refused.getSqlState() != null) {
                return refused.getSqlState().startsWith("22")
                        || refused.getSqlState().startsWith("23");
            }
        }
        return false;
    }
}
