package io.aiel.plane.gateway.grpc;

import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.vertx.core.impl.ContextInternal;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/** A service of which each method says who may call it ({@link Method}). Belongs to the thread that builds it. */
final class GuardedService {
    private final ServiceDescriptor described;
    private final CallInHand.Parts parts;
    private final Supplier<ContextInternal> loop;
    private final Map<String, ServerMethodDefinition<?, ?>> methods = new LinkedHashMap<>();

    /** @param loop a context for one call, on the event loop of the calling thread */
    GuardedService(ServiceDescriptor described, CallInHand.Parts parts, Supplier<ContextInternal> loop) {
        this.described = described;
        this.parts = parts;
        this.loop = loop;
    }

    <Q extends Message, R> GuardedService unary(MethodDescriptor<Q, R> descriptor, Method<Q, R> method) {
        return add(descriptor, (call, metadata) -> new UnaryCall<>(call, metadata, method, parts, loop.get()));
    }

    <Q extends Message, R> GuardedService streaming(MethodDescriptor<Q, R> descriptor, Method<Q, Streamed<R>> method) {
        return add(descriptor, (call, metadata) -> new StreamCall<>(call, metadata, method, parts, loop.get()));
    }

    private interface Beginning<Q, R> {
        CallInHand<Q, R, ?> of(ServerCall<Received<Q>, R> call, io.grpc.Metadata metadata);
    }

    private <Q extends Message, R> GuardedService add(MethodDescriptor<Q, R> descriptor, Beginning<Q, R> beginning) {
        MethodDescriptor<Received<Q>, R> bounded = descriptor.toBuilder(
                        new BoundedMarshaller<>(prototype(descriptor)), descriptor.getResponseMarshaller())
                .build();
        ServerCallHandler<Received<Q>, R> handler = (call, metadata) -> {
            CallInHand<Q, R, ?> inHand = beginning.of(call, metadata);
            inHand.begin();
            return inHand;
        };
        methods.put(descriptor.getFullMethodName(), ServerMethodDefinition.create(bounded, handler));
        return this;
    }

    private static <Q extends Message> Q prototype(MethodDescriptor<Q, ?> descriptor) {
        if (descriptor.getRequestMarshaller() instanceof MethodDescriptor.PrototypeMarshaller<Q> marshaller) {
            return Objects.requireNonNull(marshaller.getMessagePrototype());
        }
        throw new IllegalStateException("generated methods have prototypes");
    }

    /** Throws {@link IllegalStateException} when a method of the interface is not served. */
    ServerServiceDefinition build() {
        ServiceDescriptor.Builder descriptor =
                ServiceDescriptor.newBuilder(described.getName()).setSchemaDescriptor(described.getSchemaDescriptor());
        described.getMethods().stream()
                .map(MethodDescriptor::getFullMethodName)
                .filter(name -> !methods.containsKey(name))
                .findFirst()
                .ifPresent(name -> {
                    throw new IllegalStateException(name + " is not served");
                });
        methods.values().forEach(method -> descriptor.addMethod(method.getMethodDescriptor()));
        ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor.build());
        methods.values().forEach(method -> service.addMethod(method));
        return service.build();
    }
}
