package io.aiel.plane.gateway.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Bounds what all messages that are on their way in may hold together. gRPC itself bounds each message, and a connection may
 * have a hundred calls. Thread-safe.
 */
final class ReceivingBudget extends ServerStreamTracer.Factory {
    private static final Context.Key<Share> SHARE = Context.key("plane.grpc.receiving");

    /** Messages up to this size are taken whatever others hold: they are most, and are gone at once. */
    private static final long SMALL_BYTES = 64 * 1024;

    private final long bytesMax;
    private final AtomicLong held = new AtomicLong();

    ReceivingBudget(long bytesMax) {
        this.bytesMax = bytesMax;
    }

    /** Names what is done, on the connection's event loop, when the message of the current call is too much. */
    static void onTooMuch(Runnable action) {
        @Nullable Share share = SHARE.get();
        if (share != null) {
            share.action = action;
        }
    }

    @Override
    public ServerStreamTracer newServerStreamTracer(String method, Metadata metadata) {
        return new Share();
    }

    private final class Share extends ServerStreamTracer {
        private final AtomicLong mine = new AtomicLong();
        private volatile Runnable action = () -> {};

        @Override
        public Context filterContext(Context context) {
            return context.withValue(SHARE, this);
        }

        @Override
        public void inboundWireSize(long bytes) {
            long own = mine.addAndGet(bytes);
            if (held.addAndGet(bytes) > bytesMax && own > SMALL_BYTES) {
                action.run();
            }
        }

        @Override
        public void inboundMessageRead(int number, long wireSize, long uncompressedSize) {
            release();
        }

        @Override
        public void streamClosed(Status status) {
            release();
        }

        private void release() {
            held.addAndGet(-mine.getAndSet(0));
        }
    }
}
