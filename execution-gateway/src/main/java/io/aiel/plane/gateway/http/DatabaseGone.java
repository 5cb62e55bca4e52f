package io.aiel.plane.gateway.http;

import io.smallrye.mutiny.TimeoutException;
import io.vertx.pgclient.PgException;
import io.vertx.sqlclient.ClosedConnectionException;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.util.List;
import org.hibernate.exception.JDBCConnectionException;
import org.jspecify.annotations.Nullable;

/** Tells a database that cannot be reached, for which a caller may come back later, from a fault of ours. */
final class DatabaseGone {
    /** A cause that goes in a circle must not hold us. */
    private static final int DEPTH_MAX = 20;

    /** SQLSTATE: lost or refused connections, no room or memory or too many of them, a server that stops or starts, I/O errors. */
    private static final List<String> STATES = List.of("08", "53", "57P", "58");

    private DatabaseGone() {}

    static boolean isCauseOf(Throwable failure) {
        @Nullable Throwable cause = failure;
        for (int depth = 0; cause != null && depth < DEPTH_MAX; depth++) {
            if (says(cause)) {
                return true;
            }
            cause = cause.getCause();
        }
        return false;
    }

    private static boolean says(Throwable cause) {
        return switch (cause) {
            case PgException refused -> {
                @Nullable String state = refused.getSqlState();
                yield state != null && STATES.stream().anyMatch(state::startsWith);
            }
            case ClosedConnectionException _,
                    SocketException _,
                    UnknownHostException _,
                    ClosedChannelException _,
                    JDBCConnectionException _,
                    // Nothing else is waited for in this way while a call is answered.
                    TimeoutException _ -> true;
            default -> false;
        };
    }
}
