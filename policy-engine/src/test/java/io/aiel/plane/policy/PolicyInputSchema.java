package io.aiel.plane.policy;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes the JSON Schema of the policy input from {@link PolicyDocument}'s records. */
final class PolicyInputSchema {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final SnakeCaseStrategy SNAKE_CASE = (SnakeCaseStrategy) PropertyNamingStrategies.SNAKE_CASE;

    private PolicyInputSchema() {}

    /** The schema as it is in the file. */
    static String text() {
        ObjectNode schema = JSON.createObjectNode();
        schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.put("title", "Policy input of the AI execution plane, version " + PolicyDocument.VERSION);
        schema.put(
                "description",
                "Generated from io.aiel.plane.policy.PolicyDocument. Policies must bear members they do not know.");
        schema.setAll(object(PolicyDocument.class));
        ((ObjectNode) schema.at("/properties/version")).put("const", PolicyDocument.VERSION);
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(schema) + "\n";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ObjectNode object(Class<?> type) {
        ObjectNode schema = JSON.createObjectNode();
        schema.put("type", "object");
        ObjectNode properties = schema.putObject("properties");
        for (RecordComponent component : type.getRecordComponents()) {
            properties.set(SNAKE_CASE.translate(component.getName()), member(component));
        }
        var required = schema.putArray("required");
        properties.fieldNames().forEachRemaining(required::add);
        schema.put("additionalProperties", false);
        return schema;
    }

    private static ObjectNode member(RecordComponent component) {
        Described described = component.getAnnotation(Described.class);
        if (described == null) {
            throw new IllegalStateException(component + " is not described");
        }
        ObjectNode schema = JSON.createObjectNode();
        schema.put("description", described.value());
        if (described.anyJson()) {
            return schema;
        }
        boolean nullable = component.getAnnotatedType().isAnnotationPresent(Nullable.class);
        Class<?> type = component.getType();
        if (type.isRecord()) {
            if (nullable) {
                var either = schema.putArray("oneOf");
                either.addObject().put("type", "null");
                either.add(object(type));
            } else {
                schema.setAll(object(type));
            }
            return schema;
        }
        if (type == List.class) {
            if (((ParameterizedType) component.getGenericType()).getActualTypeArguments()[0] != String.class) {
                throw new IllegalStateException(component + " is a list of something else than texts");
            }
            schema.put("type", "array");
            ObjectNode items = schema.putObject("items").put("type", "string");
            restrict(items, described);
            return schema;
        }
        String name = scalar(component);
        if (nullable) {
            schema.putArray("type").add(name).add("null");
        } else {
            schema.put("type", name);
        }
        if (name.equals("integer")) {
            schema.put("minimum", 0);
        }
        restrict(schema, described);
        return schema;
    }

    private static void restrict(ObjectNode schema, Described described) {
        if (described.oneOf().length > 0) {
            var values = schema.putArray("enum");
            for (String value : described.oneOf()) {
                values.add(value);
            }
        }
        if (!described.pattern().isEmpty()) {
            schema.put("pattern", described.pattern());
        }
    }

    private static String scalar(RecordComponent component) {
        return switch (component.getType().getName()) {
            case "java.lang.String" -> "string";
            case "int" -> "integer";
            case "boolean" -> "boolean";
            default -> throw new IllegalStateException(component + " has a type this generator does not know");
        };
    }
}
