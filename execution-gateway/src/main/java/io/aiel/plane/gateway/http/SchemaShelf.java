package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.JsonText;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The schemas of a document in one place, each a document of its own before: references within one are made to lead to where it stands
 * now. One that refers to elsewhere is left open, as no reader of ours is to be sent there. Not thread-safe.
 */
final class SchemaShelf {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PLACE = "#/components/schemas/";

    /** Their values are data, not schemas. */
    private static final Set<String> DATA = Set.of("const", "enum", "default", "examples", "example");

    /** They name schemas in ways that only hold in a document of its own. */
    private static final Set<String> OWN_DOCUMENT =
            Set.of("$dynamicRef", "$dynamicAnchor", "$anchor", "$recursiveRef", "$vocabulary");

    /** Their values are schemas by names that authors chose. */
    private static final Set<String> BY_NAME =
            Set.of("properties", "patternProperties", "$defs", "definitions", "dependentSchemas");

    private final ObjectNode shelf;

    SchemaShelf(ObjectNode shelf) {
        this.shelf = shelf;
    }

    static JsonNode read(JsonText schema) {
        try {
            return JSON.readTree(schema.value());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a stored schema is JSON", e);
        }
    }

    /** Puts a schema there and gives a reference to it; empty when there is none. */
    Optional<JsonNode> put(String name, Optional<JsonText> schema) {
        return schema.<JsonNode>map(text -> {
            JsonNode moved = movable(read(text))
                    ? moved(read(text), PLACE + name)
                    : JsonNodeFactory.instance.objectNode().put("description", "It refers to another document.");
            shelf.set(name, moved);
            return JsonNodeFactory.instance.objectNode().put("$ref", PLACE + name);
        });
    }

    /** Puts one there whose references hold already. */
    void add(String name, ObjectNode schema) {
        shelf.set(name, schema);
    }

    private static boolean movable(JsonNode node) {
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            JsonNode value = member.getValue();
            if (BY_NAME.contains(member.getKey()) && value.isObject()) {
                for (JsonNode named : value) {
                    if (!movable(named)) {
                        return false;
                    }
                }
                continue;
            }
            boolean away = member.getKey().equals("$ref")
                    && value.isTextual()
                    && !value.asText().equals("#")
                    && !value.asText().startsWith("#/");
            if (away || (OWN_DOCUMENT.contains(member.getKey()) && !value.isObject())) {
                return false;
            }
            if (!DATA.contains(member.getKey()) && !movable(value)) {
                return false;
            }
        }
        if (node.isArray()) {
            for (JsonNode element : node) {
                if (!movable(element)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static JsonNode moved(JsonNode node, String place) {
        if (node instanceof ArrayNode array) {
            ArrayNode out = JsonNodeFactory.instance.arrayNode();
            array.forEach(element -> out.add(moved(element, place)));
            return out;
        }
        if (!(node instanceof ObjectNode object)) {
            return node;
        }
        ObjectNode out = JsonNodeFactory.instance.objectNode();
        for (Map.Entry<String, JsonNode> member : object.properties()) {
            String name = member.getKey();
            JsonNode value = member.getValue();
            if ((name.equals("$id") || name.equals("$schema")) && value.isTextual()) {
                continue;
            }
            if (name.equals("$ref") && value.isTextual()) {
                out.put(name, place + value.asText().substring(1));
            } else if (BY_NAME.contains(name) && value.isObject()) {
                ObjectNode named = out.putObject(name);
                value.properties().forEach(each -> named.set(each.getKey(), moved(each.getValue(), place)));
            } else if (name.equals("mapping") && value.isObject()) {
                out.set(name, mapping(value, place));
            } else {
                out.set(name, DATA.contains(name) ? value : moved(value, place));
            }
        }
        return out;
    }

    /** Of a discriminator: its values are references without their keyword. */
    private static JsonNode mapping(JsonNode mapping, String place) {
        ObjectNode out = JsonNodeFactory.instance.objectNode();
        for (Map.Entry<String, JsonNode> member : mapping.properties()) {
            JsonNode value = member.getValue();
            if (value.isTextual() && value.asText().startsWith("#/")) {
                out.put(member.getKey(), place + value.asText().substring(1));
            } else {
                out.set(member.getKey(), moved(value, place));
            }
        }
        return out;
    }
}
