package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.execution.EventSource;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.vertx.core.impl.ContextInternal;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A call that is answered by events, as fast as its caller takes them: what he does not take is not taken from the source, which
 * in turn has the code wait. Lives on its event loop; only {@link #look} is called by other threads.
 */
final class StreamCall<Q, R> extends CallInHand<Q, R, Streamed<R>> {
    private final AtomicBoolean looking = new AtomicBoolean();
    private Streamed.@Nullable Events<R> events;

    StreamCall(
            ServerCall<Received<Q>, R> call,
            Metadata metadata,
            Method<Q, Streamed<R>> method,
            Parts parts,
            ContextInternal loop) {
        super(call, metadata, method, parts, loop);
    }

    @Override
    void answered(Streamed<R> answer) {
        switch (answer) {
            case Streamed.Events<R> more -> {
                events = more;
                if (hasEnded()) {
                    left();
                    return;
                }
                sendHeaders();
                more.source().onMore(this::look);
            }
            case Streamed.One<R>(var message) -> {
                if (!hasEnded()) {
                    sendHeaders();
                    send(message);
                    succeed();
                }
            }
        }
    }

    private void look() {
        if (looking.compareAndSet(false, true)) {
            // Not at once where it could be: taking makes room, which may bring the next event in the same breath.
            later(() -> {
                looking.set(false);
                take();
            });
        }
    }

    @Override
    public void onReady() {
        if (!hasEnded()) {
            unwatch();
            take();
        }
    }

    private void take() {
        if (events == null || hasEnded()) {
            return;
        }
        EventSource source = events.source();
        while (isReady()) {
            Optional<EventSource.Event> next = source.next();
            if (next.isEmpty()) {
                if (source.isOver()) {
                    succeed();
                }
                return;
            }
            try {
                send(events.message().apply(next.get()));
            } catch (RuntimeException refusal) {
                fail(refusal);
                return;
            }
        }
        watch();
    }

    @Override
    void left() {
        if (events != null) {
            events.source().leave();
        }
    }
}
