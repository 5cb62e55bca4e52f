package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.util.Optional;

/**
 * Appends to one execution's stream: each record continues from the one before. In memory only; the caller writes the records
 * and {@link #position()} in one transaction. One owner at a time: not thread-safe, as there must not be two writers of a stream.
 */
public final class AuditChain {
    private final AuditCodec codec;
    private final AuditContext context;
    private StreamPosition position;

    private AuditChain(AuditCodec codec, AuditContext context, StreamPosition position) {
        this.codec = codec;
        this.context = context;
        this.position = position;
    }

    /** A new execution's stream. */
    public static AuditChain begin(AuditCodec codec, AuditContext context, ExecutionId execution) {
        return new AuditChain(codec, context, StreamPosition.startOf(execution));
    }

    /** Goes on where the stream stands. */
    public static AuditChain resume(AuditCodec codec, AuditContext context, StreamPosition position) {
        return new AuditChain(codec, context, position);
    }

    /** The record of this event as the next of the stream; throws {@link IllegalArgumentException} for another's event. */
    public AuditRecord append(AuditEvent.OfExecution event) {
        if (!StreamPosition.startOf(event.execution()).stream().equals(position.stream())) {
            throw new IllegalArgumentException(
                    "an event of " + event.execution() + " does not belong to stream " + position.stream());
        }
        AuditRecord record = codec.encode(context, event, position);
        position = new StreamPosition(record.stream(), record.sequence(), Optional.of(record.hash()));
        return record;
    }

    /**
     * The terminal record of an execution whose server died: it ran, or was about to, and its end is not known. The caller makes
     * sure that there is no terminal record yet.
     */
    public AuditRecord appendLost(ExecutionId execution) {
        return append(new AuditEvent.ExecutionFinished(
                execution,
                "lost",
                503,
                ErrorCode.EXECUTION_LOST.name(),
                Optional.<Digest>empty(),
                Usage.NONE,
                new JsonText("{}"),
                ""));
    }

    /** Where the stream stands after the last append. */
    public StreamPosition position() {
        return position;
    }
}
