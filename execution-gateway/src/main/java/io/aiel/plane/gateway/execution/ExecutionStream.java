package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What one execution gives while it runs, on its way from its worker's thread to one reader. Holds little: whoever adds a chunk when much
 * waits already is told to come again when the reader has taken some. (Log entries are few, by the limit on them.) Thread-safe.
 */
final class ExecutionStream {
    /** So much waits for the reader, and one chunk more, before the worker has to. */
    static final int WAITING_CHARS_MAX = 256 * 1024;

    private final Consumer<EventSource> onBegin;
    private final Runnable onLeave;
    private final Function<ExecutionAnswer.Refused, JsonText> problem;
    private final EventQueue events;
    private volatile boolean begun;

    /**
     * @param onBegin called once, when a worker has the request
     * @param onLeave called when the reader has gone, or has had the end
     * @param problem the document that stands for a refusal
     */
    ExecutionStream(
            Consumer<EventSource> onBegin, Runnable onLeave, Function<ExecutionAnswer.Refused, JsonText> problem) {
        this.onBegin = onBegin;
        this.onLeave = onLeave;
        this.problem = problem;
        this.events = new EventQueue(0, WAITING_CHARS_MAX, onLeave);
    }

    /** For the reader. */
    EventSource events() {
        return events;
    }

    /** A worker has the request. */
    void started(ExecutionId execution, boolean coldStart) {
        begun = true;
        var _ = events.put("started", "{\"execution_id\":\"" + execution + "\",\"cold_start\":" + coldStart + "}");
        onBegin.accept(events);
    }

    void log(JsonText entry) {
        var _ = events.put("log", entry.value());
    }

    /** Completes when there is room for another. */
    CompletionStage<Void> chunk(JsonText data) {
        return events.put("chunk", data.value());
    }

    /** A piece of what a call of the code's is answered: shown like a chunk, but not what the handler yields. Completes when there is room. */
    CompletionStage<Void> delta(JsonText data) {
        return events.put(EventSource.DELTA, data.value());
    }

    /** The last event. */
    void end(String name, JsonText data) {
        events.putLast(name, data.value());
    }

    /** The reader may not have this: he gets nothing of what waits for him, is told so, and is as good as gone. */
    void refuse(ExecutionAnswer.Refused refused) {
        events.breakOff("error", problem.apply(refused).value(), true);
        onLeave.run();
    }

    /** Whether a worker ever had the request. */
    boolean hasBegun() {
        return begun;
    }
}
