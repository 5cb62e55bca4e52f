package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.JsonText;

/**
 * A decision as it goes on record: the whole policy input but for the arguments' value, of which size and digest stay. What
 * callers send may be personal or secret, and a record cannot be taken back.
 */
final class RecordedDecision {
    private RecordedDecision() {}

    /** The decision with the arguments' value withheld, and marked so. */
    static Decision withoutArguments(Decision decision, ObjectMapper json) {
        return decision.withInput(withoutArguments(decision.input(), json));
    }

    private static JsonText withoutArguments(JsonText input, ObjectMapper json) {
        try {
            if (json.readTree(input.value()) instanceof ObjectNode document
                    && document.get("arguments") instanceof ObjectNode arguments
                    && arguments.has("value")) {
                arguments.remove("value");
                arguments.put("withheld", true);
                return new JsonText(json.writeValueAsString(document));
            }
            return input;
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JsonText holds well-formed JSON", e);
        }
    }
}
