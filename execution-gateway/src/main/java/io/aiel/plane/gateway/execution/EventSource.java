package io.aiel.plane.gateway.execution;

import java.util.Optional;

/**
 * Events on their way to one reader, who takes them when he has room for them: what he does not take is not made, or not kept. The
 * reader's methods are called by one thread at a time.
 */
public interface EventSource {
    /** The name of a piece of what a call of the code's is answered. Doors show it as a {@code chunk}, and take it for no part of a result. */
    String DELTA = "delta";

    /**
     * One event of a stream.
     *
     * @param id where it stands in the stream; empty text when it has no place there, and a reader who comes again begins where he was
     * @param name its kind
     * @param data JSON
     */
    record Event(String id, String name, String data) {}

    /** Names who is told, on any thread, that there may be more to take; at once when there is already. To be called once. */
    void onMore(Runnable look);

    /** The next event, if there is one by now. */
    Optional<Event> next();

    /** Whether the stream is at its end: nothing comes after what was taken. */
    boolean isOver();

    /** The reader has gone, or has all he wants. Later calls change nothing. */
    void leave();
}
