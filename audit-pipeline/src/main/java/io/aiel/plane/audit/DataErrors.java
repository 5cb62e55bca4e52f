package io.aiel.plane.audit;

import io.vertx.sqlclient.DatabaseException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Tells what PostgreSQL refuses for what is in it, which it would refuse for ever, from what may be taken another time. Stateless. */
public final class DataErrors {
    // Data exceptions, violated constraints, and limits of the program such as the size of an index entry.
    private static final Set<String> CLASSES = Set.of("22", "23", "54");

    private DataErrors() {}

    /** Whether it, or what caused it, is such a refusal, by the class of its SQLSTATE. */
    public static boolean is(Throwable failure) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof DatabaseException refused) {
                @Nullable String state = refused.getSqlState();
                return state != null && state.length() == 5 && CLASSES.contains(state.substring(0, 2));
            }
        }
        return false;
    }
}
