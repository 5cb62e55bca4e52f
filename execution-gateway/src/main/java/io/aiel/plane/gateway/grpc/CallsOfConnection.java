package io.aiel.plane.gateway.grpc;

import io.grpc.Attributes;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Holds each connection to its number of calls from the first on. The codec does so too, and resets what is beyond, but only from when
 * the client acknowledges the server's settings (RFC 9113, section 6.5.3), which it need not. Thread-safe.
 */
final class CallsOfConnection extends ServerTransportFilter implements ServerInterceptor {
    private static final Attributes.Key<AtomicInteger> OPEN = Attributes.Key.create("plane.grpc.calls");

    private final int callsMax;

    CallsOfConnection(int callsMax) {
        this.callsMax = callsMax;
    }

    @Override
    public Attributes transportReady(Attributes connection) {
        return connection.toBuilder().set(OPEN, new AtomicInteger()).build();
    }

    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, R> call, Metadata metadata, ServerCallHandler<Q, R> next) {
        AtomicInteger open = Objects.requireNonNull(call.getAttributes().get(OPEN), "set with the connection");
        if (open.incrementAndGet() > callsMax) {
            open.decrementAndGet();
            call.close(
                    Status.RESOURCE_EXHAUSTED.withDescription(
                            "The connection has " + callsMax + " calls at once, which is as many as it may."),
                    new Metadata());
            return new ServerCall.Listener<>() {};
        }
        boolean begun = false;
        try {
            ServerCall.Listener<Q> listener = next.startCall(call, metadata);
            begun = true;
            return counted(listener, open);
        } finally {
            if (!begun) {
                open.decrementAndGet();
            }
        }
    }

    /** One of the two is called, once, when the call is over. */
    private static <Q> ServerCall.Listener<Q> counted(ServerCall.Listener<Q> listener, AtomicInteger open) {
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onCancel() {
                open.decrementAndGet();
                super.onCancel();
            }

            @Override
            public void onComplete() {
                open.decrementAndGet();
                super.onComplete();
            }
        };
    }
}
