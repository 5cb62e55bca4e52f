package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * JSON with gaps. A text {@code "{params.channel}"} is the value of that name, whatever its type, and what has no value is left out together
 * with the member that it stands in; an object {@code {"$name": …}} is what the function of that name makes of what is in it; all else is
 * itself. Values are put in as JSON, so that nothing in them can become part of the document's structure. Immutable.
 */
sealed interface JsonTemplate {
    /** What names begin with. Credentials are not among them: no description can put one into a body, a path or a result. */
    Set<String> ROOTS = Set.of("params", "settings", "auth", "response", "status", "idempotency_key");

    /** A whole text that is a name. */
    Pattern NAME = Pattern.compile("\\{([a-z_]+(?:\\.[A-Za-z_][A-Za-z0-9_]*)*)\\}");

    /** The document, or nothing where it is a name without a value. Throws {@link IllegalArgumentException} when a function refuses its input. */
    Optional<JsonNode> fill(ObjectNode scope);

    /** A part that is as it is. */
    record Literal(JsonNode value) implements JsonTemplate {
        @Override
        public Optional<JsonNode> fill(ObjectNode scope) {
            return Optional.of(value);
        }
    }

    /** A name. */
    record Name(List<String> path) implements JsonTemplate {
        public Name {
            path = List.copyOf(path);
        }

        @Override
        public Optional<JsonNode> fill(ObjectNode scope) {
            JsonNode at = scope;
            for (String step : path) {
                at = at.path(step);
            }
            return at.isMissingNode() || (at.isNull() && !path.getFirst().equals("response"))
                    ? Optional.empty()
                    : Optional.of(at);
        }
    }

    /** An object. */
    record Members(Map<String, JsonTemplate> members) implements JsonTemplate {
        @Override
        public Optional<JsonNode> fill(ObjectNode scope) {
            ObjectNode filled = JsonNodeFactory.instance.objectNode();
            members.forEach((name, value) -> value.fill(scope).ifPresent(node -> filled.set(name, node)));
            return Optional.of(filled);
        }
    }

    /** An array. */
    record Elements(List<JsonTemplate> elements) implements JsonTemplate {
        @Override
        public Optional<JsonNode> fill(ObjectNode scope) {
            ArrayNode filled = JsonNodeFactory.instance.arrayNode();
            elements.forEach(value -> value.fill(scope).ifPresent(filled::add));
            return Optional.of(filled);
        }
    }

    /** What a function makes of something; of nothing it makes nothing. */
    record Call(JsonFunction function, JsonTemplate of) implements JsonTemplate {
        @Override
        public Optional<JsonNode> fill(ObjectNode scope) {
            return of.fill(scope).flatMap(function::apply);
        }
    }

    /** Reads a template; what is wrong with it goes to the problems. */
    static JsonTemplate parse(JsonNode node, String where, List<String> problems) {
        if (node.isTextual()) {
            return text(node, where, problems);
        }
        if (node.isArray()) {
            List<JsonTemplate> elements = new ArrayList<>();
            for (int i = 0; i < node.size(); i++) {
                elements.add(parse(node.path(i), where + "/" + i, problems));
            }
            return new Elements(List.copyOf(elements));
        }
        if (node.isObject()) {
            return object((ObjectNode) node, where, problems);
        }
        return new Literal(node);
    }

    private static JsonTemplate text(JsonNode node, String where, List<String> problems) {
        String text = node.textValue();
        var name = NAME.matcher(text);
        if (name.matches()) {
            List<String> path = List.of(name.group(1).split("\\.", -1));
            if (!ROOTS.contains(path.getFirst())) {
                problems.add(where + ": there is no " + text);
            }
            return new Name(path);
        }
        if (text.startsWith("{")) {
            problems.add(where + ": " + text + " is not a name such as {params.channel}");
        }
        return new Literal(node);
    }

    private static JsonTemplate object(ObjectNode node, String where, List<String> problems) {
        String first = node.isEmpty() ? "" : node.fieldNames().next();
        if (first.startsWith("$")) {
            Optional<JsonFunction> function = JsonFunction.named(first);
            if (node.size() != 1 || function.isEmpty()) {
                problems.add(where + ": " + first + " is no function, or is not alone in its object");
            } else {
                return new Call(function.get(), parse(node.path(first), where + "/" + first, problems));
            }
        }
        Map<String, JsonTemplate> members = new LinkedHashMap<>();
        node.properties()
                .forEach(member -> members.put(
                        member.getKey(), parse(member.getValue(), where + "/" + member.getKey(), problems)));
        return new Members(members);
    }
}
