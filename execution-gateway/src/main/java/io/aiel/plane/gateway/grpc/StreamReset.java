package io.aiel.plane.gateway.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Resets the stream of a call at once, with what waits in it: {@link io.grpc.ServerCall#close} sends a status behind it, which a
 * caller who takes nothing never gets. {@code ServerCall} has no door for that; the library resets a stream when a context above
 * its own ends for want of time, so each stream gets one. Thread-safe.
 */
final class StreamReset {
    private static final Context.Key<Context.CancellableContext> ABOVE = Context.key("plane.grpc.stream");

    private final Context.@Nullable CancellableContext above;

    private StreamReset(Context.@Nullable CancellableContext above) {
        this.above = above;
    }

    /** Of the current call; to be asked for where it begins. */
    static StreamReset ofCurrentCall() {
        return new StreamReset(ABOVE.get());
    }

    /** The caller sees {@code CANCELLED}, which is what a reset says. */
    void reset(String reason) {
        if (above != null) {
            above.cancel(new TimeoutException(reason));
        }
    }

    /** What the server has to be built with. */
    static final class Factory extends ServerStreamTracer.Factory {
        @Override
        public ServerStreamTracer newServerStreamTracer(String method, Metadata metadata) {
            return new Tracer();
        }
    }

    private static final class Tracer extends ServerStreamTracer {
        private Context.@Nullable CancellableContext above;

        @Override
        public Context filterContext(Context context) {
            Context.CancellableContext own = context.withCancellation();
            above = own;
            return own.withValue(ABOVE, own);
        }

        @Override
        public void streamClosed(Status status) {
            if (above != null) {
                above.cancel(null);
            }
        }
    }
}
