package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.http.RequestIds;
import io.aiel.plane.gateway.identity.ProjectDoor;
import io.grpc.Deadline;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What came with a call before its message.
 *
 * @param apiTokens the values of {@code x-api-token}
 * @param authorizations the values of the metadata of that name, in the singular
 * @param requestId the caller's {@code x-request-id} when it was sane, else ours
 * @param traceparent in the caller's trace or one of our own
 * @param sourceAddress the peer's address, without port; empty text when not known
 * @param deadline until when the caller waits
 */
record Sent(
        List<String> apiTokens,
        List<String> authorizations,
        String requestId,
        String traceparent,
        String sourceAddress,
        Optional<Deadline> deadline) {
    static final Metadata.Key<String> REQUEST_ID = key("x-request-id");

    private static final Metadata.Key<String> API_TOKEN = key("x-api-token");
    private static final Metadata.Key<String> AUTHORIZATION = key("authorization");
    private static final Metadata.Key<String> TRACEPARENT = key("traceparent");

    static Sent of(ServerCall<?, ?> call, Metadata metadata, Optional<Deadline> deadline) {
        return new Sent(
                all(metadata, API_TOKEN),
                all(metadata, AUTHORIZATION),
                RequestIds.choose(metadata.get(REQUEST_ID)),
                RequestIds.ownTraceparent(metadata.get(TRACEPARENT)),
                address(call),
                deadline);
    }

    private static Metadata.Key<String> key(String name) {
        return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    }

    private static List<String> all(Metadata metadata, Metadata.Key<String> key) {
        List<String> values = new ArrayList<>();
        @Nullable Iterable<String> sent = metadata.getAll(key);
        if (sent != null) {
            sent.forEach(values::add);
        }
        return values;
    }

    private static String address(ServerCall<?, ?> call) {
        return call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR) instanceof InetSocketAddress peer
                        && peer.getAddress() != null
                ? peer.getAddress().getHostAddress()
                : "";
    }

    /** 32 hex digits. */
    String traceId() {
        return traceparent.substring(3, 35);
    }

    /** What goes with each answer. */
    Metadata answerMetadata() {
        Metadata metadata = new Metadata();
        metadata.put(REQUEST_ID, requestId);
        return metadata;
    }

    ProjectDoor.Wish wish(String workspace, String project, Optional<String> action, String resource) {
        return new ProjectDoor.Wish(workspace, project, action, resource, sourceAddress, traceparent, requestId);
    }
}
