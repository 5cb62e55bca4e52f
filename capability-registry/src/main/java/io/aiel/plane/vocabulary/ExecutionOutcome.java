package io.aiel.plane.vocabulary;

import java.util.Objects;

/** How an execution ended. Exactly one per execution. */
public sealed interface ExecutionOutcome {
    /** What it used, as far as is known. */
    Usage usage();

    /**
     * The worker answered, well or with an error of the user's code: its envelope is passed on as it is.
     *
     * @param envelope the execution envelope of the wire contract
     * @param ok the envelope's {@code ok}
     * @param httpStatus the envelope's {@code http_status}
     * @param errorCode the envelope's {@code error.code}; empty text when ok
     */
    record Answered(JsonText envelope, boolean ok, int httpStatus, String errorCode, Usage usage)
            implements ExecutionOutcome {
        public Answered {
            Objects.requireNonNull(envelope, "envelope");
        }
    }

    /** The worker had to be stopped or died: the envelope is the server's own. */
    record Ended(ErrorCode code, String detail, Usage usage) implements ExecutionOutcome {
        public Ended {
            Objects.requireNonNull(code, "code");
        }
    }
}
