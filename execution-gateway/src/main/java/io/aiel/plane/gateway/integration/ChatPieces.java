package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Puts the pieces of a streamed chat completion ({@code chat.completion.chunk}) together to what the same completion is when it is not streamed.
 * Nothing is guessed: a piece that has no place is refused. Bounded by whoever bounds the stream. For one thread.
 */
final class ChatPieces {
    private static final int CHOICES_MAX = 128;
    private static final int TOOL_CALLS_MAX = 1_024;
    private static final List<String> ONCE = List.of("id", "created", "model", "service_tier", "system_fingerprint");

    private final ObjectNode whole = JsonNodeFactory.instance.objectNode();
    private final Map<Integer, Choice> choices = new TreeMap<>();

    private static final class Choice {
        private final ObjectNode message = JsonNodeFactory.instance.objectNode();
        private final Map<String, StringBuilder> texts = new TreeMap<>();
        private final Map<Integer, ToolCall> toolCalls = new TreeMap<>();
        private final ObjectNode logprobs = JsonNodeFactory.instance.objectNode();
        private final ToolCall functionCall = new ToolCall();
        private boolean callsFunction;
        private String finishReason = "";
    }

    private static final class ToolCall {
        private String id = "";
        private String type = "";
        private String name = "";
        private final StringBuilder arguments = new StringBuilder();

        void add(JsonNode function) {
            name = name.isEmpty() ? text(function, "name") : name;
            arguments.append(text(function, "arguments"));
        }

        ObjectNode function() {
            return JsonNodeFactory.instance.objectNode().put("name", name).put("arguments", arguments.toString());
        }
    }

    /** Adds the next; throws {@link IllegalArgumentException} when it is no such piece. */
    void add(JsonNode piece) {
        JsonNode parts = piece.path("choices");
        if (!parts.isArray()) {
            throw new IllegalArgumentException("a piece has no choices");
        }
        for (String name : ONCE) {
            if (!piece.path(name).isMissingNode() && !piece.path(name).isNull() && !whole.has(name)) {
                whole.set(name, piece.path(name));
            }
        }
        if (piece.path("usage").isObject()) {
            // Where each piece has one, they are sums so far.
            whole.set("usage", piece.path("usage"));
        }
        parts.forEach(this::addChoice);
    }

    private void addChoice(JsonNode part) {
        Choice choice = choices.computeIfAbsent(index(part, CHOICES_MAX), _ -> new Choice());
        JsonNode delta = part.path("delta");
        if (!delta.isObject() && !delta.isMissingNode() && !delta.isNull()) {
            throw new IllegalArgumentException("a delta is no object");
        }
        delta.properties().forEach(member -> addMember(choice, member.getKey(), member.getValue()));
        String finished = text(part, "finish_reason");
        choice.finishReason = finished.isEmpty() ? choice.finishReason : finished;
        part.path("logprobs")
                .properties()
                .forEach(member -> addLogprobs(choice.logprobs, member.getKey(), member.getValue()));
    }

    private static void addMember(Choice choice, String name, JsonNode value) {
        switch (name) {
            case "role" -> {
                if (value.isTextual()) {
                    choice.message.set(name, value);
                }
            }
            case "tool_calls" -> value.forEach(part -> addToolCall(choice, part));
            case "function_call" -> {
                choice.callsFunction |= value.isObject();
                choice.functionCall.add(value);
            }
            default -> {
                if (value.isTextual()) {
                    choice.texts.computeIfAbsent(name, _ -> new StringBuilder()).append(value.textValue());
                } else if (value.isArray() && choice.message.get(name) instanceof ArrayNode there) {
                    there.addAll((ArrayNode) value);
                } else if (!value.isNull()) {
                    choice.message.set(name, value.deepCopy());
                }
            }
        }
    }

    private static void addToolCall(Choice choice, JsonNode part) {
        ToolCall call = choice.toolCalls.computeIfAbsent(index(part, TOOL_CALLS_MAX), _ -> new ToolCall());
        call.id = call.id.isEmpty() ? text(part, "id") : call.id;
        call.type = call.type.isEmpty() ? text(part, "type") : call.type;
        if (!call.type.isEmpty() && !call.type.equals("function")) {
            throw new IllegalArgumentException("a call of a tool is none of a function");
        }
        call.add(part.path("function"));
    }

    private static void addLogprobs(ObjectNode into, String name, JsonNode more) {
        if (more instanceof ArrayNode list) {
            into.withArrayProperty(name).addAll(list);
        }
    }

    private static int index(JsonNode part, int max) {
        JsonNode index = part.path("index");
        if (!index.isIntegralNumber() || !index.canConvertToInt() || index.intValue() < 0 || index.intValue() >= max) {
            throw new IllegalArgumentException("a part of a piece has no index");
        }
        return index.intValue();
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).isTextual() ? node.path(name).textValue() : "";
    }

    /** Whether each of the choices has come to its end. */
    boolean isWhole() {
        return !choices.isEmpty() && choices.values().stream().noneMatch(choice -> choice.finishReason.isEmpty());
    }

    /** The completion, as it is when it is not streamed. */
    ObjectNode whole() {
        ObjectNode completion = JsonNodeFactory.instance.objectNode();
        if (whole.has("id")) {
            completion.set("id", whole.get("id"));
        }
        completion.put("object", "chat.completion");
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        choices.forEach((index, choice) -> list.add(whole(index, choice)));
        whole.properties().forEach(member -> {
            if (!member.getKey().equals("id") && !member.getKey().equals("usage")) {
                completion.set(member.getKey(), member.getValue());
            }
        });
        completion.set("choices", list);
        if (whole.has("usage")) {
            completion.set("usage", whole.get("usage"));
        }
        return completion;
    }

    private static ObjectNode whole(int index, Choice choice) {
        ObjectNode message = JsonNodeFactory.instance.objectNode();
        message.put("role", choice.message.path("role").asText("assistant"));
        message.putNull("content");
        choice.message.properties().forEach(member -> {
            if (!member.getKey().equals("role")) {
                message.set(member.getKey(), member.getValue());
            }
        });
        choice.texts.forEach((name, text) -> message.put(name, text.toString()));
        if (!choice.toolCalls.isEmpty()) {
            ArrayNode calls = message.putArray("tool_calls");
            choice.toolCalls.values().forEach(call -> {
                ObjectNode one = calls.addObject().put("id", call.id);
                one.put("type", "function");
                one.set("function", call.function());
            });
        }
        if (choice.callsFunction) {
            message.set("function_call", choice.functionCall.function());
        }
        ObjectNode whole = JsonNodeFactory.instance.objectNode().put("index", index);
        whole.set("message", message);
        whole.set("logprobs", choice.logprobs.isEmpty() ? JsonNodeFactory.instance.nullNode() : choice.logprobs);
        return whole.put("finish_reason", choice.finishReason);
    }
}
