package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import jakarta.inject.Singleton;
import jakarta.ws.rs.core.Response;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Turns the envelope of a handler's execution into the answer of an HTTP call: a result into what the handler says, an error into a
 * problem document. Thread-safe; computation without I/O.
 */
@Singleton
final class HandlerAnswers {
    private static final int DETAIL_CHARACTERS_MAX = 2_000;

    private final ObjectMapper json;
    private final ObjectReader exact;

    HandlerAnswers(ObjectMapper json) {
        this.json = json;
        // A number goes out as the code wrote it.
        this.exact = json.reader()
                .with(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .without(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES);
    }

    /** The answer to an envelope; of an execution that failed, a problem document that has its code and never a traceback. */
    Response of(int httpStatus, JsonText envelope, Optional<ExecutionId> execution, Optional<Duration> retryAfter) {
        Response.ResponseBuilder answer = answer(httpStatus, read(envelope));
        execution.ifPresent(id -> answer.header(ExecutionCalls.EXECUTION_ID, id.value()));
        retryAfter.ifPresent(after -> answer.header("Retry-After", Math.max(1, after.toSeconds())));
        return answer.build();
    }

    private Response.ResponseBuilder answer(int httpStatus, JsonNode envelope) {
        if (!envelope.path("ok").asBoolean(false)) {
            return failed(httpStatus, envelope.path("error"));
        }
        try {
            return HandlerResponse.of(httpStatus, envelope.path("result"), json);
        } catch (HandlerResponse.Unsendable unsendable) {
            return problem(
                    ErrorCode.OUTPUT_INVALID,
                    Problems.status(ErrorCode.OUTPUT_INVALID),
                    "The handler's response cannot be sent: " + unsendable.getMessage() + ".",
                    Map.of());
        }
    }

    /** Whether nothing was found that could be executed. */
    boolean isMissing(JsonText envelope) {
        return read(envelope).at("/error/code").asText().equals(ErrorCode.NOT_FOUND.name());
    }

    private static Response.ResponseBuilder failed(int httpStatus, JsonNode error) {
        ErrorCode code = code(error.path("code").asText());
        String message = error.path("message").asText();
        Map<String, Object> details = new LinkedHashMap<>();
        for (String member : new String[] {"errors", "reasons", "exception_type"}) {
            if (error.path("details").has(member)) {
                details.put(member, error.path("details").get(member));
            }
        }
        return problem(
                code,
                httpStatus >= 400 ? httpStatus : Problems.status(code),
                message.length() <= DETAIL_CHARACTERS_MAX ? message : message.substring(0, DETAIL_CHARACTERS_MAX) + "…",
                details);
    }

    /** The worker shares its process with user code, so what it calls its error may be no code of ours. */
    private static ErrorCode code(String name) {
        try {
            return ErrorCode.valueOf(name);
        } catch (IllegalArgumentException e) {
            return ErrorCode.USER_CODE_ERROR;
        }
    }

    private static Response.ResponseBuilder problem(
            ErrorCode code, int status, String detail, Map<String, Object> details) {
        return Response.status(status)
                .header("Content-Type", Problems.MEDIA_TYPE)
                .header("Cache-Control", "no-store")
                .entity(Problems.document(code, status, detail, details));
    }

    private JsonNode read(JsonText envelope) {
        try {
            return exact.readTree(envelope.value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an envelope is JSON", e);
        }
    }
}
