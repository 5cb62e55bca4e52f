package io.aiel.plane.gateway.execution;

/** What a caller who wants a stream gets. */
public sealed interface StreamAnswer {
    /** A worker has the request: what it gives comes as it comes, and the answer as the last event, {@code result} or {@code error}. */
    record Begun(EventSource events) implements StreamAnswer {}

    /** The same answer as before, as the only event: the request came with an idempotency key that was used for it. */
    record Repeated(EventSource events) implements StreamAnswer {}

    /** It came to neither; the answer is the same as for everybody. */
    record Instead(ExecutionAnswer answer) implements StreamAnswer {}
}
