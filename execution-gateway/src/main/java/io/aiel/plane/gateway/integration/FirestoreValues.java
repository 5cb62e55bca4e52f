package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Firestore's typed values as plain JSON and back, without loss. What JSON has no type for is an object with one member: {@code {"$timestamp":
 * "2026-01-02T03:04:05Z"}}, {@code $bytes} (base64), {@code $reference} (a document's path), {@code $geo_point} (latitude, longitude) and
 * {@code $double} (the numbers that JSON lacks: NaN, Infinity, -Infinity). A map of somebody's that looks like one of these, a single member
 * beginning with a dollar sign, is {@code {"$map": …}}. All methods throw {@link IllegalArgumentException} with a text for the caller.
 */
final class FirestoreValues {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String MAP = "$map";
    private static final Map<String, String> TAGS = Map.of(
            "$timestamp", "timestampValue",
            "$bytes", "bytesValue",
            "$reference", "referenceValue",
            "$geo_point", "geoPointValue",
            "$double", "doubleValue");
    private static final Map<String, String> TYPES = Map.of(
            "timestampValue", "$timestamp",
            "bytesValue", "$bytes",
            "referenceValue", "$reference",
            "geoPointValue", "$geo_point");
    private static final Set<String> DOUBLES = Set.of("NaN", "Infinity", "-Infinity");
    private static final Pattern SIMPLE_NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
    private static final String DOCUMENTS = "/documents/";

    private FirestoreValues() {}

    /** Plain members as typed fields. */
    static ObjectNode fields(JsonNode data) {
        ObjectNode fields = JSON.objectNode();
        data.properties().forEach(member -> fields.set(member.getKey(), typed(member.getValue(), false)));
        return fields;
    }

    /** Typed fields as plain members. */
    static ObjectNode plain(JsonNode fields) {
        ObjectNode plain = JSON.objectNode();
        fields.properties().forEach(member -> plain.set(member.getKey(), value(member.getValue())));
        return plain;
    }

    /** A document as the API has it, as one with {@code id, path, data, create_time, update_time}. */
    static ObjectNode document(JsonNode document) {
        String name = document.path("name").asText();
        int at = name.indexOf(DOCUMENTS);
        if (at < 0) {
            throw new IllegalArgumentException("there is no document in the answer");
        }
        String path = name.substring(at + DOCUMENTS.length());
        return JSON.objectNode()
                .put("id", path.substring(path.lastIndexOf('/') + 1))
                .put("path", path)
                .put("create_time", document.path("createTime").textValue())
                .put("update_time", document.path("updateTime").textValue())
                .set("data", plain(document.path("fields")));
    }

    /** One value as a typed one. */
    static ObjectNode typed(JsonNode value) {
        return typed(value, false);
    }

    private static ObjectNode typed(JsonNode value, boolean inArray) {
        ObjectNode typed = JSON.objectNode();
        return switch (value.getNodeType()) {
            case NULL -> typed.set("nullValue", value);
            case BOOLEAN -> typed.set("booleanValue", value);
            case STRING -> typed.set("stringValue", value);
            case NUMBER -> number(value, typed);
            case ARRAY -> {
                if (inArray) {
                    throw new IllegalArgumentException(
                            "Firestore has no arrays directly in arrays; put an object between");
                }
                ArrayNode elements = JSON.arrayNode();
                value.forEach(element -> elements.add(typed(element, true)));
                yield typed.set("arrayValue", JSON.objectNode().set("values", elements));
            }
            case OBJECT -> object(value, typed);
            default -> throw new IllegalArgumentException("a value is not JSON");
        };
    }

    private static ObjectNode number(JsonNode value, ObjectNode typed) {
        if (value.isFloatingPointNumber()) {
            return typed.put("doubleValue", value.doubleValue());
        }
        if (!value.canConvertToLong()) {
            throw new IllegalArgumentException(
                    "a whole number has more than 64 bits; send it as a text, or with a decimal point");
        }
        // A text, as the API has them: many readers of JSON cannot hold 64 bits.
        return typed.put("integerValue", Long.toString(value.longValue()));
    }

    private static ObjectNode object(JsonNode value, ObjectNode typed) {
        String only = value.size() == 1 ? value.fieldNames().next() : "";
        if (!only.startsWith("$")) {
            return map(value, typed);
        }
        JsonNode of = value.path(only);
        if (only.equals(MAP)) {
            return map(of, typed);
        }
        String type = TAGS.get(only);
        boolean fits = switch (only) {
            case "$geo_point" ->
                of.size() == 2
                        && of.path("latitude").isNumber()
                        && of.path("longitude").isNumber();
            case "$double" -> of.isNumber() || DOUBLES.contains(of.asText());
            default -> of.isTextual();
        };
        if (type == null || !fits) {
            throw new IllegalArgumentException(
                    "an object whose one member begins with $ is a typed value: $timestamp, $bytes, $reference, $geo_point, $double or $map");
        }
        return typed.set(type, of);
    }

    private static ObjectNode map(JsonNode members, ObjectNode typed) {
        if (!members.isObject()) {
            throw new IllegalArgumentException("$map holds an object");
        }
        ObjectNode fields = JSON.objectNode();
        members.properties().forEach(member -> fields.set(member.getKey(), typed(member.getValue(), false)));
        return typed.set("mapValue", JSON.objectNode().set("fields", fields));
    }

    private static JsonNode value(JsonNode typed) {
        if (typed.size() != 1) {
            throw new IllegalArgumentException("a value in the answer has no type, or several");
        }
        String type = typed.fieldNames().next();
        JsonNode of = typed.path(type);
        return switch (type) {
            case "nullValue" -> JSON.nullNode();
            case "booleanValue", "stringValue" -> of;
            case "integerValue" -> whole(of);
            case "doubleValue" -> of.isNumber() ? fraction(of) : tagged("$double", of);
            case "arrayValue" -> {
                ArrayNode elements = JSON.arrayNode();
                of.path("values").forEach(element -> elements.add(value(element)));
                yield elements;
            }
            case "mapValue" -> plainMap(of.path("fields"));
            default -> {
                String tag = TYPES.get(type);
                if (tag == null) {
                    throw new IllegalArgumentException("a value in the answer has a type that is not known here");
                }
                yield tagged(tag, of);
            }
        };
    }

    private static JsonNode whole(JsonNode of) {
        try {
            return JSON.numberNode(Long.parseLong(of.asText()));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("an integer in the answer is none", e);
        }
    }

    /** A double without a fraction comes as a whole number, and would go back as an integer. */
    private static JsonNode fraction(JsonNode of) {
        return of.isFloatingPointNumber() ? of : JSON.numberNode(of.doubleValue());
    }

    private static JsonNode plainMap(JsonNode fields) {
        ObjectNode plain = plain(fields);
        boolean looksTyped = plain.size() == 1 && plain.fieldNames().next().startsWith("$");
        return looksTyped ? tagged(MAP, plain) : plain;
    }

    private static JsonNode tagged(String tag, JsonNode of) {
        return JSON.objectNode().set(tag, of);
    }

    /** The paths of the fields that the members set: of those that are objects, the paths of what is in them. */
    static ArrayNode mask(JsonNode data) {
        List<String> paths = new ArrayList<>();
        collect("", data, paths);
        if (paths.isEmpty()) {
            // A write without a mask replaces the document.
            throw new IllegalArgumentException("there is nothing to merge; name at least one field");
        }
        ArrayNode mask = JSON.arrayNode();
        paths.forEach(mask::add);
        return mask;
    }

    private static void collect(String prefix, JsonNode members, List<String> into) {
        members.properties().forEach(member -> {
            String path = prefix + quoted(member.getKey());
            JsonNode value = member.getValue();
            JsonNode inside = value.size() == 1 && value.has(MAP) ? value.path(MAP) : value;
            boolean typed = inside.equals(value)
                    && value.size() == 1
                    && value.isObject()
                    && value.fieldNames().next().startsWith("$");
            if (inside.isObject() && !inside.isEmpty() && !typed) {
                collect(path + ".", inside, into);
            } else {
                into.add(path);
            }
        });
    }

    private static String quoted(String name) {
        return SIMPLE_NAME.matcher(name).matches()
                ? name
                : "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`";
    }
}
