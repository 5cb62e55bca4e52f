package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.execution.EventSource;
import java.util.function.Function;

/** The answer of a method that streams. */
sealed interface Streamed<R> {
    /**
     * Messages as they come, as fast as the caller takes them.
     *
     * @param message makes the message of an event; throws the refusal that the event stands for
     */
    record Events<R>(EventSource source, Function<EventSource.Event, R> message) implements Streamed<R> {}

    /** One message and no more. */
    record One<R>(R message) implements Streamed<R> {}
}
