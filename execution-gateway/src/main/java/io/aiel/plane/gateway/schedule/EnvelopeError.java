package io.aiel.plane.gateway.schedule;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.JsonText;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The error of an envelope that no code has written.
 *
 * @param errors the wrong fields of the request, with their pointers into it
 */
record EnvelopeError(String code, String message, List<Map<String, String>> errors) {
    EnvelopeError {
        errors = List.copyOf(errors);
    }

    static EnvelopeError of(ObjectMapper json, JsonText envelope) {
        try {
            JsonNode error = json.readTree(envelope.value()).path("error");
            List<Map<String, String>> errors = new ArrayList<>();
            error.at("/details/errors")
                    .forEach(one -> errors.add(Map.of(
                            "pointer", one.path("pointer").asText(),
                            "message", one.path("message").asText())));
            return new EnvelopeError(
                    error.path("code").asText(), error.path("message").asText(), errors);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an envelope is JSON", e);
        }
    }
}
