package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.http.StrictJson;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Runner requests: every mistake named, or a request whose newest form reads as itself. */
public final class RunnerRequestFuzz {
    private static final int TIMEOUT_MAX = 900_000;
    private static final ObjectMapper JSON = strict();

    private RunnerRequestFuzz() {}

    /** The body of a request. */
    public static void fuzzerTestOneInput(byte[] input) {
        @Nullable JsonNode document;
        try {
            document = JSON.readTree(new String(input, StandardCharsets.UTF_8));
        } catch (JsonProcessingException refused) {
            return;
        }
        if (document == null) {
            return;
        }
        switch (new RunnerRequestReader(TIMEOUT_MAX).read(document, Optional.empty())) {
            case RunnerRequestReader.Result.Invalid invalid -> {
                require(!invalid.errors().isEmpty(), "a refusal says why");
                invalid.errors()
                        .forEach(error -> require(
                                !error.message().isBlank()
                                        && (error.pointer().isEmpty()
                                                || error.pointer().startsWith("/")),
                                "each mistake has its place"));
            }
            case RunnerRequestReader.Result.Read read -> {
                RunnerRequest request = read.request();
                require(request.timeoutMs() >= 1 && request.timeoutMs() <= TIMEOUT_MAX, "a time that ends");
                require(
                        request.action() != RunnerRequest.Action.INVOKE
                                || request.capability().isPresent(),
                        "an invocation of something");
                RunnerRequestReader.Result again =
                        new RunnerRequestReader(TIMEOUT_MAX).read(request.document(), Optional.empty());
                require(
                        again instanceof RunnerRequestReader.Result.Read same
                                && same.request().document().equals(request.document())
                                && same.request().capability().equals(request.capability()),
                        "the worker would read another request than was decided on");
            }
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
