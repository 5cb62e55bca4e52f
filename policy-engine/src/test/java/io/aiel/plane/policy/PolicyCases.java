package io.aiel.plane.policy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The cases of {@code src/test/policy-cases}, made into whole questions. */
final class PolicyCases {
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
    private static final List<String> FILES =
            List.of("scopes.yaml", "borders.yaml", "principals.yaml", "executions.yaml");

    private PolicyCases() {}

    /**
     * One question and the decision that is wanted.
     *
     * @param odd whether the input breaks the input schema on purpose
     * @param want {@code allow}, and {@code reasons} and {@code obligations} where they matter
     */
    record Case(String description, JsonNode input, JsonNode data, boolean odd, JsonNode want) {
        @Override
        public String toString() {
            return description;
        }
    }

    static List<Case> all() throws IOException {
        List<Case> cases = new ArrayList<>();
        for (String file : FILES) {
            for (JsonNode written :
                    YAML.readTree(ModuleFiles.CASES.resolve(file).toFile())) {
                cases.add(read(file, written));
            }
        }
        cases.addAll(everyRoleAgainstEveryAction());
        return cases;
    }

    /** The table of roles and actions. */
    static JsonNode roles() throws IOException {
        return YAML.readTree(ModuleFiles.CASES.resolve("roles.yaml").toFile());
    }

    private static Case read(String file, JsonNode written) throws IOException {
        ObjectNode input = base();
        merge(input, written.path("change"));
        for (JsonNode pointer : written.path("remove")) {
            String path = pointer.asText();
            int last = path.lastIndexOf('/');
            if (((ObjectNode) input.at(path.substring(0, last))).remove(path.substring(last + 1)) == null) {
                throw new IOException(file + ": there is no " + path + " to remove");
            }
        }
        JsonNode data = written.has("data") ? written.get("data") : YAML.createObjectNode();
        if (!written.path("want").path("allow").isBoolean()) {
            throw new IOException(file + ": a case without want.allow: " + written.path("description"));
        }
        return new Case(
                file.replace(".yaml", ": ") + written.required("description").asText(),
                input,
                data,
                written.path("odd").asBoolean(false),
                written.get("want"));
    }

    private static List<Case> everyRoleAgainstEveryAction() throws IOException {
        JsonNode table = roles();
        List<Case> cases = new ArrayList<>();
        for (Map.Entry<String, JsonNode> role : table.required("roles").properties()) {
            List<String> granted = new ArrayList<>();
            role.getValue().forEach(action -> granted.add(action.asText()));
            for (JsonNode action : table.required("actions")) {
                ObjectNode input = base();
                input.put("action", action.asText());
                ((ArrayNode) input.at("/principal/roles")).add(role.getKey());
                if (action.asText().equals("tenant.create")) {
                    ((ArrayNode) input.at("/principal/scopes")).add("platform.*");
                }
                boolean allow = granted.contains(action.asText());
                cases.add(new Case(
                        "roles: " + role.getKey() + (allow ? " may " : " may not ") + action.asText(),
                        input,
                        YAML.createObjectNode(),
                        false,
                        YAML.createObjectNode().put("allow", allow)));
            }
        }
        return cases;
    }

    private static ObjectNode base() throws IOException {
        return (ObjectNode) YAML.readTree(ModuleFiles.CASES.resolve("base.yaml").toFile());
    }

    /** Objects are merged, everything else replaced; null is a value. */
    private static void merge(ObjectNode into, JsonNode change) {
        for (Map.Entry<String, JsonNode> member : change.properties()) {
            if (into.get(member.getKey()) instanceof ObjectNode inner
                    && member.getValue().isObject()
                    && !member.getKey().equals("value")) {
                merge(inner, member.getValue());
            } else {
                into.set(member.getKey(), member.getValue());
            }
        }
    }
}
