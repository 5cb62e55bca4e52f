package io.aiel.plane.registry.snapshot;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Reads the {@code exports} array of the worker protocol. It comes out of a sandbox that ran a stranger's code, so nothing in it is
 * believed to be well-formed: {@link InvalidExports} says what is wrong.
 */
final class Exports {
    static final int CAPABILITIES_MAX = 2_000;

    /** The whole array, characters. */
    static final int EXPORTS_MAX = 8_388_608;

    private static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(200)
                            .maxNumberLength(100)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private static final int VERSION_MAX = 100;
    private static final int TEXT_MAX = 8_192;
    private static final int LIST_MAX = 256;
    private static final int SCHEMA_MAX = 262_144;

    private Exports() {}

    /** The sandbox said something that is no exports array. */
    static final class InvalidExports extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        InvalidExports(String message) {
            super(message);
        }
    }

    /** Reads what the sandbox reported; the versions are part of it. */
    static List<JsonNode> read(SnapshotValidator.Validation.Valid reported) {
        version("sdk_version", reported.sdkVersion());
        version("runtime_version", reported.runtimeVersion());
        return read(reported.exports());
    }

    private static void version(String member, String value) {
        if (value.length() > VERSION_MAX || !storable(value)) {
            throw new InvalidExports("the " + member + " is no text of at most " + VERSION_MAX + " plain characters");
        }
    }

    /** The elements, sorted by kind and name, with nothing in them but what is documented. */
    static List<JsonNode> read(JsonText exports) {
        if (exports.value().length() > EXPORTS_MAX) {
            throw new InvalidExports(
                    "the exports have " + exports.value().length() + " characters; the limit is " + EXPORTS_MAX);
        }
        JsonNode array;
        try {
            array = JSON.readTree(exports.value());
        } catch (JsonProcessingException e) {
            throw new InvalidExports("the exports are not JSON");
        }
        if (!array.isArray()) {
            throw new InvalidExports("the exports are not an array");
        }
        if (array.size() > CAPABILITIES_MAX) {
            throw new InvalidExports(
                    "the snapshot exports " + array.size() + " capabilities; the limit is " + CAPABILITIES_MAX);
        }
        List<JsonNode> cleaned = new ArrayList<>();
        for (JsonNode element : array) {
            cleaned.add(clean(element));
        }
        cleaned.sort(
                Comparator.comparing((JsonNode export) -> export.path("kind").asText())
                        .thenComparing(export -> export.path("name").asText()));
        for (int i = 1; i < cleaned.size(); i++) {
            CapabilityRef ref = ref(cleaned.get(i));
            if (ref.equals(ref(cleaned.get(i - 1)))) {
                throw new InvalidExports("two capabilities are called " + ref);
            }
        }
        cleaned.forEach(Exports::checkCanonical);
        return cleaned;
    }

    /** Schemas may hold what the canonical form cannot, such as numbers beyond a double or half a surrogate pair. */
    private static void checkCanonical(JsonNode export) {
        if (hasInfinity(export)) {
            throw new InvalidExports(ref(export) + " has a number that is too large");
        }
        try {
            if (!wellFormed(Manifest.canonical(export))) {
                throw new InvalidExports(ref(export) + " has a text that is no Unicode");
            }
        } catch (IllegalStateException | UncheckedIOException e) {
            throw new InvalidExports(ref(export) + " has a value that canonical JSON cannot hold");
        }
    }

    /** Would be written as a text, and so say something else than was reported. */
    private static boolean hasInfinity(JsonNode node) {
        return (node.isDouble() && !Double.isFinite(node.doubleValue()))
                || StreamSupport.stream(node.spliterator(), false).anyMatch(Exports::hasInfinity);
    }

    /** Whether it can go to the database and to a terminal: no control characters, no half surrogate pairs. */
    private static boolean storable(String text) {
        return text.chars().noneMatch(Character::isISOControl) && wellFormed(text);
    }

    private static boolean wellFormed(String text) {
        return StandardCharsets.UTF_8.newEncoder().canEncode(text);
    }

    private static ObjectNode clean(JsonNode element) {
        ObjectNode clean = JsonNodeFactory.instance.objectNode();
        CapabilityRef ref = ref(element);
        clean.put("kind", ref.kind().wireName());
        clean.put("name", ref.name());
        clean.put("description", text(element, "description").orElse(""));
        clean.put("version", text(element, "version").orElse(""));
        list(clean, element, "tags");
        list(clean, element, "allowed_actions");
        list(clean, element, "allowed_routes");
        schema(clean, element, "input_schema", ref);
        schema(clean, element, "output_schema", ref);
        for (String optional : List.of("method", "path", "server", "file")) {
            text(element, optional).ifPresent(value -> clean.put(optional, value));
        }
        JsonNode line = element.path("line");
        if (line.isInt() && line.intValue() > 0) {
            clean.put("line", line.intValue());
        }
        return clean;
    }

    private static CapabilityRef ref(JsonNode element) {
        JsonNode kind = element.path("kind");
        JsonNode name = element.path("name");
        if (!kind.isTextual() || !name.isTextual() || !storable(name.textValue())) {
            throw new InvalidExports("an export has no kind or no name, or a name with control characters");
        }
        try {
            return new CapabilityRef(CapabilityKind.parse(kind.textValue()), name.textValue());
        } catch (IllegalArgumentException e) {
            throw new InvalidExports("an export is not nameable: " + e.getMessage());
        }
    }

    private static Optional<String> text(JsonNode element, String member) {
        JsonNode value = element.path(member);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isTextual() || value.textValue().length() > TEXT_MAX) {
            throw new InvalidExports(
                    "the " + member + " of an export is no text of at most " + TEXT_MAX + " characters");
        }
        return Optional.of(value.textValue());
    }

    private static void list(ObjectNode clean, JsonNode element, String member) {
        ArrayNode target = clean.putArray(member);
        JsonNode values = element.path(member);
        if (values.isMissingNode() || values.isNull()) {
            return;
        }
        if (!values.isArray() || values.size() > LIST_MAX) {
            throw new InvalidExports("the " + member + " of an export are no array of at most " + LIST_MAX);
        }
        for (JsonNode value : values) {
            if (!value.isTextual() || value.textValue().length() > TEXT_MAX) {
                throw new InvalidExports("the " + member + " of an export hold something that is no text");
            }
            target.add(value.textValue());
        }
    }

    private static void schema(ObjectNode clean, JsonNode element, String member, CapabilityRef ref) {
        JsonNode schema = element.path(member);
        if (schema.isMissingNode() || schema.isNull()) {
            return;
        }
        if (!schema.isObject() || schema.toString().length() > SCHEMA_MAX) {
            throw new InvalidExports(
                    "the " + member + " of " + ref + " is no object of at most " + SCHEMA_MAX + " characters");
        }
        clean.set(member, schema);
    }

    /** The capability that a cleaned element describes. */
    static Capability capability(JsonNode export) {
        return new Capability(
                ref(export),
                export.path("description").asText(""),
                export.path("version").asText(""),
                texts(export.path("tags")),
                json(export.get("input_schema")),
                json(export.get("output_schema")),
                texts(export.path("allowed_actions")),
                texts(export.path("allowed_routes")),
                contract(export),
                text(export, "method"),
                text(export, "path"),
                text(export, "server"),
                export.path("file").asText(""),
                export.path("line").asInt(0));
    }

    static Capability capability(String document) {
        try {
            return capability(JSON.readTree(document));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a stored capability is not JSON", e);
        }
    }

    /** Over what callers and policies rely on: not over words, versions, tags or places. */
    static Digest contract(JsonNode export) {
        ObjectNode contract = JsonNodeFactory.instance.objectNode();
        for (String member : List.of(
                "kind",
                "name",
                "input_schema",
                "output_schema",
                "allowed_actions",
                "allowed_routes",
                "method",
                "path",
                "server")) {
            @Nullable JsonNode value = export.get(member);
            if (value != null) {
                contract.set(member, value);
            }
        }
        return Digest.of(Manifest.canonical(contract));
    }

    private static List<String> texts(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonNode::asText)
                .toList();
    }

    private static Optional<JsonText> json(@Nullable JsonNode value) {
        return value == null ? Optional.empty() : Optional.of(new JsonText(value.toString()));
    }
}
