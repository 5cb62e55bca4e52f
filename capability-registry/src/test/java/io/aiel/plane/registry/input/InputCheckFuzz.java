package io.aiel.plane.registry.input;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** Schemas that tenants wrote on inputs that callers sent: always an answer, the same each time, and not too long a one. */
public final class InputCheckFuzz {
    private static final ObjectMapper JSON = new ObjectMapper();

    private InputCheckFuzz() {}

    /** A schema, a NUL, an input. */
    public static void fuzzerTestOneInput(byte[] input) {
        String[] parts = new String(input, StandardCharsets.UTF_8).split("\0", 2);
        JsonNode schema;
        JsonNode event;
        try {
            schema = JSON.readTree(parts[0]);
            event = JSON.readTree(parts.length > 1 ? parts[1] : "{}");
        } catch (JsonProcessingException e) {
            return;
        }
        // What reaches this check: the exports reader lets objects through only, and bodies are documents.
        if (schema == null || event == null || !schema.isObject() || event.isMissingNode()) {
            return;
        }
        Capability capability = capability(schema.toString());
        List<InputProblem> problems = new InputCheck(4).check(capability, event);
        if (problems.size() > 20 || !problems.equals(new InputCheck(4).check(capability, event))) {
            throw new AssertionError("the answer is bounded and always the same");
        }
        if (schema.isEmpty() && !problems.isEmpty()) {
            throw new AssertionError("the empty schema fits everything");
        }
    }

    private static Capability capability(String schema) {
        return new Capability(
                new CapabilityRef(CapabilityKind.TOOL, "t"),
                "",
                "",
                List.of(),
                Optional.of(new JsonText(schema)),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of(schema),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "entry_point.py",
                1);
    }
}
