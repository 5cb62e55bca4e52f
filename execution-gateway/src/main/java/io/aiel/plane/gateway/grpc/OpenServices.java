package io.aiel.plane.gateway.grpc;

import io.grpc.BindableService;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.vertx.core.impl.ContextInternal;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * The services that need no token: health, which says what readiness says to everybody over HTTP, and reflection, which tells the
 * interface that {@code plane.proto} has and nothing of what is in the plane. Since anybody may call them, no call of theirs
 * lasts.
 */
final class OpenServices {
    private OpenServices() {}

    /** @param loop a context for one call, on the event loop of the calling thread */
    static List<ServerServiceDefinition> all(
            HealthStatusManager health, Duration longest, Supplier<ContextInternal> loop) {
        return Stream.of(health.getHealthService(), ProtoReflectionServiceV1.newInstance(), olderReflection())
                .map(service -> ServerInterceptors.intercept(service, new Brief(longest, loop)))
                .toList();
    }

    /** Most clients, the Python one among them, ask by the version before the first. */
    @SuppressWarnings("deprecation")
    private static BindableService olderReflection() {
        return ProtoReflectionService.newInstance();
    }

    /** Ends calls after a time, as if their callers had given them up. */
    private record Brief(Duration longest, Supplier<ContextInternal> loop) implements ServerInterceptor {
        @Override
        public <Q, R> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, R> call, Metadata metadata, ServerCallHandler<Q, R> next) {
            ContextInternal own = loop.get();
            StreamReset stream = StreamReset.ofCurrentCall();
            long timer = own.owner()
                    .setTimer(
                            longest.toMillis(),
                            _ -> own.emit(stream, one -> one.reset("Calls without a token do not last; call again.")));
            return new SimpleForwardingServerCallListener<>(next.startCall(call, metadata)) {
                @Override
                public void onCancel() {
                    own.owner().cancelTimer(timer);
                    super.onCancel();
                }

                @Override
                public void onComplete() {
                    own.owner().cancelTimer(timer);
                    super.onComplete();
                }
            };
        }
    }
}
