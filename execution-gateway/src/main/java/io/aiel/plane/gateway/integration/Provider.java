package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.JsonText;
import io.vertx.core.json.JsonObject;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A kind of outside system, as its catalogue file describes it.
 *
 * @param settings JSON Schema of a connection's settings; nothing secret can be among them
 * @param credentials JSON Schema of what opens the system
 * @param healthCheck the action that says whether a connection works; it has no parameters or none that are needed
 */
record Provider(
        String name,
        String displayName,
        String connectorId,
        String connectorVersion,
        String resourceType,
        String authMethod,
        JsonText settings,
        JsonText credentials,
        String healthCheck,
        Map<String, Action> actions) {
    Provider {
        actions = Collections.unmodifiableMap(new LinkedHashMap<>(actions));
        if (!actions.containsKey(healthCheck)) {
            throw new IllegalArgumentException(
                    "the provider " + name + " has no action " + healthCheck + " to check its health with");
        }
    }

    /**
     * What can be done with it.
     *
     * @param writes whether it changes something there, so that it matters whether it was done once or twice
     * @param params JSON Schema
     */
    record Action(String name, String capability, boolean writes, JsonText params) {}

    static Provider of(JsonNode file) {
        Map<String, Action> actions = new LinkedHashMap<>();
        file.path("actions").properties().forEach(one -> {
            JsonNode action = one.getValue();
            actions.put(
                    one.getKey(),
                    new Action(
                            one.getKey(),
                            text(action, "capability"),
                            switch (text(action, "effect")) {
                                case "read" -> false;
                                case "write" -> true;
                                default ->
                                    throw new IllegalArgumentException(
                                            one.getKey() + ": the effect of an action is read or write");
                            },
                            schema(action, "params")));
        });
        return new Provider(
                text(file, "provider"),
                text(file, "display_name"),
                text(file.path("connector"), "id"),
                text(file.path("connector"), "version"),
                text(file, "resource_type"),
                text(file.path("auth"), "method"),
                schema(file, "settings"),
                schema(file, "credentials"),
                text(file, "health_check"),
                actions);
    }

    private static String text(JsonNode node, String member) {
        String text = node.path(member).asText();
        if (text.isBlank()) {
            throw new IllegalArgumentException("a catalogue file lacks " + member);
        }
        return text;
    }

    private static JsonText schema(JsonNode node, String member) {
        if (!node.path(member).isObject()) {
            throw new IllegalArgumentException("a catalogue file lacks the schema " + member);
        }
        return new JsonText(node.path(member).toString());
    }

    Optional<Action> action(String action) {
        return Optional.ofNullable(actions.get(action));
    }

    JsonObject shown() {
        JsonObject shown = new JsonObject();
        actions.values()
                .forEach(action -> shown.put(
                        action.name(),
                        new JsonObject()
                                .put("capability", action.capability())
                                .put("effect", action.writes() ? "write" : "read")
                                .put("params", new JsonObject(action.params().value()))));
        return new JsonObject()
                .put("provider", name)
                .put("display_name", displayName)
                .put("connector", new JsonObject().put("id", connectorId).put("version", connectorVersion))
                .put("resource_type", resourceType)
                .put("auth", new JsonObject().put("method", authMethod))
                .put("settings", new JsonObject(settings.value()))
                .put("credentials", new JsonObject(credentials.value()))
                .put("health_check", healthCheck)
                .put("actions", shown);
    }
}
