package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.Caller;
import io.aiel.plane.gateway.execution.Invocable;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Answers {@code tools/list}: pages of those tools that the policy lets the caller invoke. Thread-safe; computation without I/O. */
final class ToolList {
    /** A member of a schema that would have clients repeat an argument in a header, which nobody here compares. */
    private static final String HEADER_EXTENSION = "x-mcp-header";

    private final ObjectMapper json;
    private final Invocable invocable;
    private final int pageMax;

    /** @param pageMax tools that one page looks at; it shows fewer where some are not for the caller */
    ToolList(ObjectMapper json, Invocable invocable, int pageMax) {
        this.json = json;
        this.invocable = invocable;
        this.pageMax = pageMax;
    }

    /** @param cursor of the page before; null for the first */
    ObjectNode page(Caller caller, Offer offer, @Nullable JsonNode cursor) {
        Map<String, Capability> rest = cursor == null || cursor.isNull()
                ? offer.tools()
                : offer.tools().tailMap(nameOf(cursor), false);
        ObjectNode page = json.createObjectNode();
        ArrayNode tools = page.putArray("tools");
        Iterator<Map.Entry<String, Capability>> candidates = rest.entrySet().iterator();
        String last = "";
        for (int looked = 0; looked < pageMax && candidates.hasNext(); looked++) {
            Map.Entry<String, Capability> candidate = candidates.next();
            last = candidate.getKey();
            if (invocable.by(caller, offer.target(candidate.getValue()))) {
                tools.add(view(candidate.getKey(), candidate.getValue()));
            }
        }
        if (candidates.hasNext()) {
            page.put("nextCursor", cursorOf(last));
        }
        return page;
    }

    private static String cursorOf(String name) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(name.getBytes(StandardCharsets.UTF_8));
    }

    private static String nameOf(JsonNode cursor) {
        try {
            if (cursor.isTextual() && !cursor.asText().isEmpty()) {
                return new String(Base64.getUrlDecoder().decode(cursor.asText()), StandardCharsets.UTF_8);
            }
        } catch (IllegalArgumentException e) {
            // Not of the form that they have here.
        }
        throw new RpcError(RpcError.INVALID_PARAMS, "cursor is not one that this call gave out.");
    }

    private ObjectNode view(String name, Capability tool) {
        ObjectNode view = json.createObjectNode().put("name", name);
        if (!tool.description().isEmpty()) {
            view.put("description", tool.description());
        }
        view.set("inputSchema", inputSchema(tool));
        outputSchema(tool).ifPresent(schema -> view.set("outputSchema", schema));
        view.set("annotations", annotations(tool));
        ObjectNode meta = view.putObject("_meta");
        meta.put(Meta.CONTRACT_DIGEST, tool.contractDigest().value());
        meta.put(Meta.VERSION, tool.version());
        ArrayNode tags = meta.putArray(Meta.TAGS);
        tool.tags().forEach(tags::add);
        return view;
    }

    /** What a handler gets is always an object; and a schema must say so in this place, also where it says so in another. */
    private ObjectNode inputSchema(Capability tool) {
        Optional<ObjectNode> said =
                tool.inputSchema().flatMap(this::schema).filter(schema -> !schema.has("type") || isOfObjects(schema));
        return said.orElseGet(json::createObjectNode).put("type", "object");
    }

    /** Only of objects: a result of another kind cannot be structured content in all revisions. */
    private Optional<ObjectNode> outputSchema(Capability tool) {
        return tool.outputSchema().flatMap(this::schema).filter(ToolList::isOfObjects);
    }

    private static boolean isOfObjects(ObjectNode schema) {
        return schema.path("type").asText().equals("object");
    }

    private Optional<ObjectNode> schema(JsonText text) {
        try {
            if (json.readTree(text.value()) instanceof ObjectNode schema) {
                withoutHeaders(schema);
                return Optional.of(schema);
            }
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JsonText holds well-formed JSON", e);
        }
        return Optional.empty();
    }

    private static void withoutHeaders(JsonNode node) {
        if (node instanceof ObjectNode object && object.path(HEADER_EXTENSION).isTextual()) {
            object.remove(HEADER_EXTENSION);
        }
        node.forEach(ToolList::withoutHeaders);
    }

    /** The protocol's defaults assume the worst; an author's tags say what is better. */
    private ObjectNode annotations(Capability tool) {
        boolean readOnly = tool.tags().contains("read_only");
        return json.createObjectNode()
                .put("readOnlyHint", readOnly)
                .put("destructiveHint", !readOnly && !tool.tags().contains("non_destructive"))
                .put("idempotentHint", readOnly || tool.tags().contains("idempotent"))
                .put("openWorldHint", !tool.tags().contains("closed_world"));
    }
}
