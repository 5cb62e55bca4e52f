package io.aiel.plane.gateway.grpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.vertx.core.impl.ContextInternal;

/** A call that is answered by one message. */
final class UnaryCall<Q, R> extends CallInHand<Q, R, R> {
    UnaryCall(
            ServerCall<Received<Q>, R> call,
            Metadata metadata,
            Method<Q, R> method,
            Parts parts,
            ContextInternal loop) {
        super(call, metadata, method, parts, loop);
    }

    @Override
    void answered(R answer) {
        if (!hasEnded()) {
            sendHeaders();
            send(answer);
            succeed();
        }
    }
}
