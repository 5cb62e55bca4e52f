package io.aiel.plane.gateway.memory;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.Optional;

/** Finds what JSON can say and no store of ours can keep, before anything of it is stored. */
final class KeptJson {
    private KeptJson() {}

    /**
     * What is wrong.
     *
     * @param pointer where, as a JSON pointer
     */
    record Wrong(String pointer, String message) {}

    /** The first text or number in it that cannot be kept as it is. */
    static Optional<Wrong> wrong(JsonNode node, String pointer) {
        if (node.isTextual()) {
            return wrongText(node.asText()).map(message -> new Wrong(pointer, message));
        }
        if (node.isFloatingPointNumber() && !Double.isFinite(node.asDouble())) {
            return Optional.of(new Wrong(pointer, "is a number beyond what a double can hold"));
        }
        if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                Optional<Wrong> wrong = wrong(node.get(i), pointer + "/" + i);
                if (wrong.isPresent()) {
                    return wrong;
                }
            }
        }
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            Optional<String> name = wrongText(member.getKey());
            if (name.isPresent()) {
                return Optional.of(new Wrong(pointer, "has a member whose name " + name.get()));
            }
            Optional<Wrong> wrong = wrong(member.getValue(), pointer + "/" + escaped(member.getKey()));
            if (wrong.isPresent()) {
                return wrong;
            }
        }
        return Optional.empty();
    }

    static String escaped(String name) {
        return name.replace("~", "~0").replace("/", "~1");
    }

    private static Optional<String> wrongText(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0) {
                return Optional.of("has the character U+0000, which cannot be kept; leave it out or encode it");
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                return Optional.of("has half of a surrogate pair, which is no character; leave it out or encode it");
            }
        }
        return Optional.empty();
    }
}
