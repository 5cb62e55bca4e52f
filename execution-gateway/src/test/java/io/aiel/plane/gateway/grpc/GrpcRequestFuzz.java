package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.grpc.plane.v1.InvokeRequest;
import io.aiel.grpc.plane.v1.SubmitRequest;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.http.StrictJson;
import java.io.ByteArrayInputStream;
import java.time.Duration;
import java.util.Optional;

/** Messages of gRPC: refused as such, or made a runner request that is JSON and asks for no more time than there is. */
public final class GrpcRequestFuzz {
    private static final ObjectMapper JSON = strict();
    private static final RunnerRequests REQUESTS = new RunnerRequests(new JsonValues(JSON));
    private static final BoundedMarshaller<InvokeRequest> INVOKE =
            new BoundedMarshaller<>(InvokeRequest.getDefaultInstance());
    private static final BoundedMarshaller<SubmitRequest> SUBMIT =
            new BoundedMarshaller<>(SubmitRequest.getDefaultInstance());
    private static final Duration LEFT = Duration.ofSeconds(5);

    private GrpcRequestFuzz() {}

    /** A message; its first byte says of which method. */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) {
            return;
        }
        var message = new ByteArrayInputStream(input, 1, input.length - 1);
        try {
            JsonNode request = input[0] % 2 == 0
                    ? REQUESTS.invoke(INVOKE.parse(message).orThrow(), Optional.of(LEFT))
                    : REQUESTS.submit(SUBMIT.parse(message).orThrow());
            String text = JSON.writeValueAsString(request);
            require(text.equals(JSON.writeValueAsString(JSON.readTree(text))), "JSON that comes back");
            require(
                    input[0] % 2 != 0 || request.at("/meta/timeout_ms").asLong() <= LEFT.toMillis(),
                    "no more time than there is");
        } catch (Refusal refusal) {
            require(Statuses.of(refusal.code()).value() == 3, "an invalid argument");
        } catch (JsonProcessingException e) {
            throw new AssertionError("what was made is not readable", e);
        }
    }

    private static ObjectMapper strict() {
        ObjectMapper mapper = new ObjectMapper();
        new StrictJson().customize(mapper);
        return mapper;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
