package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A path of a description, with gaps: {@code {params.key}} is one segment whatever is in the value, {@code {/params.path}} is a slash and a
 * segment for each part of a value with slashes, {@code {^params.path}} the same without the last of them. Immutable.
 */
record PathText(List<Part> parts) {
    private static final Pattern GAP = Pattern.compile("\\{([/^]?)([a-z_]+(?:\\.[A-Za-z_][A-Za-z0-9_]*)*)\\}");

    PathText {
        parts = List.copyOf(parts);
    }

    /** Text as it is, or a gap. */
    sealed interface Part {
        /** Text as it is. */
        record Fixed(String text) implements Part {}

        /**
         * A gap.
         *
         * @param name as a whole template
         */
        record Gap(String kind, JsonTemplate name, String shown) implements Part {}
    }

    /** Reads one; what is wrong with it goes to the problems. */
    static PathText parse(String text, String where, List<String> problems) {
        List<Part> parts = new ArrayList<>();
        Matcher gap = GAP.matcher(text);
        int from = 0;
        while (gap.find()) {
            parts.add(new Part.Fixed(text.substring(from, gap.start())));
            String name = "{" + gap.group(2) + "}";
            JsonTemplate template = JsonTemplate.parse(TextNode.valueOf(name), where, problems);
            parts.add(new Part.Gap(gap.group(1), template, gap.group(2)));
            from = gap.end();
        }
        parts.add(new Part.Fixed(text.substring(from)));
        String fixed = GAP.matcher(text).replaceAll("x");
        if ((!fixed.startsWith("/") && !text.startsWith("{/"))
                || fixed.chars().anyMatch(c -> c == '{' || c == '}' || c == '?')) {
            problems.add(where + ": " + text + " is not a path with gaps such as /issue/{params.issue_key}");
        }
        return new PathText(parts);
    }

    /** The path, encoded; throws {@link IllegalArgumentException} when a value is missing or cannot be part of one. */
    String fill(ObjectNode scope) {
        StringBuilder path = new StringBuilder();
        for (Part part : parts) {
            switch (part) {
                case Part.Fixed(var text) -> path.append(text);
                case Part.Gap(var kind, var name, var shown) -> fill(kind, value(name.fill(scope), shown), path);
            }
        }
        return path.toString();
    }

    private static String value(Optional<JsonNode> value, String shown) {
        return value.filter(JsonNode::isValueNode)
                .map(JsonNode::asText)
                .orElseThrow(() -> new IllegalArgumentException(shown + " is missing or is no text"));
    }

    private static void fill(String kind, String value, StringBuilder path) {
        if (kind.isEmpty()) {
            path.append(RequestPath.segment(value));
            return;
        }
        String[] segments = value.split("/", -1);
        int count = kind.equals("^") ? segments.length - 1 : segments.length;
        for (int i = 0; i < count; i++) {
            path.append('/').append(RequestPath.segment(segments[i]));
        }
    }
}
