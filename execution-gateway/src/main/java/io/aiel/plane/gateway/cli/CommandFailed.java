package io.aiel.plane.gateway.cli;

import org.jspecify.annotations.Nullable;

/** A command cannot go on; the message is for the person at the terminal and says what to do. */
final class CommandFailed extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CommandFailed(String message) {
        super(message);
    }

    CommandFailed(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
