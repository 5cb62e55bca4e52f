package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Names and values in the forms in which PostgreSQL reads them. */
final class PostgresText {
    private PostgresText() {}

    /** A name that is nothing but a name, whatever is in it. */
    static String quoted(String name) {
        if (name.isEmpty() || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(
                    "A name of a table or column is empty or holds a character that none can.");
        }
        return '"' + name.replace("\"", "\"\"") + '"';
    }

    static String quotedList(List<String> names) {
        return names.stream().map(PostgresText::quoted).collect(Collectors.joining(", "));
    }

    /** A table, with or without its schema. */
    static String quotedTable(String table) {
        return List.of(table.split("\\.", 2)).stream().map(PostgresText::quoted).collect(Collectors.joining("."));
    }

    /** The type, so that a cast to it shortens nothing: without a length, some names stand for a length of one. */
    static String castable(String type) {
        return type.replaceFirst("^character(?=$|\\[)", "pg_catalog.bpchar")
                .replaceFirst("^bit(?=$|\\[)", "pg_catalog.\"bit\"");
    }

    /** The text that PostgreSQL reads as this value of that type; null for null. */
    static @Nullable String value(JsonNode value, String type) {
        if (value.isNull() || value.isMissingNode()) {
            return null;
        }
        if (value.isArray() && type.endsWith("[]")) {
            return array(value);
        }
        return value.isContainerNode() ? value.toString() : value.asText();
    }

    private static String array(JsonNode array) {
        return array.valueStream()
                .map(element -> switch (element.getNodeType()) {
                    case NULL -> "NULL";
                    case ARRAY -> array(element);
                    case OBJECT -> element(element.toString());
                    default -> element(element.asText());
                })
                .collect(Collectors.joining(",", "{", "}"));
    }

    private static String element(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
