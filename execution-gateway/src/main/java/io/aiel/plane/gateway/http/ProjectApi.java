package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.registry.HttpRoutes;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The OpenAPI 3.1 document of what a project offers: HTTP handlers at their own paths, everything else as forms of the call that runs
 * it. It says nothing that differs from request to request, so that one snapshot has one document. Not thread-safe; one use.
 */
final class ProjectApi {
    private static final Pattern NOT_IN_NAMES = Pattern.compile("[^A-Za-z0-9._-]");
    private static final Pattern PARAMETER = Pattern.compile("\\{[A-Za-z_][A-Za-z0-9_]*\\}");
    private static final String EXECUTIONS = "/executions";
    private static final String JSON = "application/json";
    private static final String SCHEMAS = "#/components/schemas/";

    private final ObjectNode document = JsonNodeFactory.instance.objectNode();
    private final ObjectNode paths;
    private final SchemaShelf schemas;
    private final Set<String> names = new HashSet<>();
    private final Map<String, String> given = new HashMap<>();
    /** The first path of each shape: two that differ in their parameters' names alone are one in OpenAPI. */
    private final Map<String, String> byShape = new HashMap<>();

    private ProjectApi(ProjectScope scope, Digest snapshot) {
        document.put("openapi", "3.1.0");
        document.putObject("info")
                .put("title", "Project " + scope.project())
                .put("description", "What the project's pushed code offers, as of snapshot " + snapshot + ".")
                .put("version", snapshot.hex().substring(0, 12));
        document.putArray("servers")
                .addObject()
                .put("url", "/v1/workspaces/" + scope.workspace() + "/projects/" + scope.project());
        document.putArray("security").addObject().putArray("BearerToken");
        paths = document.putObject("paths");
        ObjectNode components = document.putObject("components");
        components
                .putObject("securitySchemes")
                .putObject("BearerToken")
                .put("type", "http")
                .put("scheme", "bearer");
        schemas = new SchemaShelf(components.putObject("schemas"));
        ProjectApiParts.addTo(components);
    }

    /** @param capabilities sorted, of this snapshot */
    static ObjectNode of(ProjectScope scope, Digest snapshot, List<Capability> capabilities) {
        ProjectApi api = new ProjectApi(scope, snapshot);
        ArrayNode forms = JsonNodeFactory.instance.arrayNode();
        ObjectNode examples = JsonNodeFactory.instance.objectNode();
        for (Capability capability : capabilities) {
            if (capability.ref().kind() == CapabilityKind.HTTP) {
                api.handler(capability);
            } else {
                api.form(capability, forms, examples);
            }
        }
        if (!forms.isEmpty()) {
            api.executions(forms, examples);
        }
        return api.document;
    }

    private void handler(Capability capability) {
        String route = capability.path().orElse("");
        String method = capability.method().orElse("").toLowerCase(Locale.ROOT);
        if (!route.startsWith("/")
                || !Set.of("get", "post", "put", "patch", "options").contains(method)) {
            return;
        }
        String path =
                byShape.computeIfAbsent(PARAMETER.matcher(route).replaceAll("{}"), _ -> "/http" + template(route));
        ObjectNode item = paths.withObjectProperty(path);
        if (item.has(method)) {
            return;
        }
        ObjectNode operation = operation(item.putObject(method), capability);
        ArrayNode parameters = operation.putArray("parameters");
        for (String name : HttpRoutes.parameterNames(path)) {
            parameters
                    .addObject()
                    .put("name", name)
                    .put("in", "path")
                    .put("required", true)
                    .putObject("schema")
                    .put("type", "string");
        }
        parameters.addObject().put("$ref", "#/components/parameters/IdempotencyKey");
        if (!method.equals("get") && !method.equals("options")) {
            ObjectNode content = operation
                    .putObject("requestBody")
                    .put("required", false)
                    .putObject("content")
                    .putObject(JSON);
            JsonNode schema = schemas.put(name(capability, "body"), capability.inputSchema())
                    .orElseGet(() -> JsonNodeFactory.instance.objectNode().put("type", "object"));
            content.set("schema", schema);
            example(capability.inputSchema()).ifPresent(value -> content.set("example", value));
        }
        ObjectNode responses = operation.putObject("responses");
        ObjectNode ok =
                responses.putObject("200").put("description", "What the handler answers; its status may be another");
        ok.putObject("headers").putObject("Aiel-Execution-Id").put("$ref", "#/components/headers/ExecutionId");
        schemas.put(name(capability, "result"), capability.outputSchema())
                .ifPresent(schema -> ok.putObject("content").putObject(JSON).set("schema", schema));
        responses.putObject("default").put("$ref", "#/components/responses/Problem");
    }

    /** Literal segments as they stand in an address; what looks like a parameter and is none is encoded. */
    private static String template(String route) {
        StringBuilder template = new StringBuilder();
        for (String segment : route.substring(1).split("/", -1)) {
            template.append('/')
                    .append(
                            PARAMETER.matcher(segment).matches()
                                    ? segment
                                    : URLEncoder.encode(segment, StandardCharsets.UTF_8)
                                            .replace("+", "%20"));
        }
        return template.toString();
    }

    private ObjectNode operation(ObjectNode operation, Capability capability) {
        operation.put("operationId", name(capability, ""));
        operation.put("summary", capability.ref().name());
        if (!capability.description().isEmpty()) {
            operation.put("description", capability.description());
        }
        if (!capability.tags().isEmpty()) {
            ArrayNode tags = operation.putArray("tags");
            capability.tags().stream().distinct().forEach(tags::add);
        }
        return operation;
    }

    /** One form of the call that runs things: its schema, and an example where the capability's schema gives one. */
    private void form(Capability capability, ArrayNode forms, ObjectNode examples) {
        boolean mcp = capability.ref().kind() == CapabilityKind.MCP;
        String name = name(capability, "");
        ObjectNode form = JsonNodeFactory.instance.objectNode();
        form.put("type", "object").put("title", capability.ref().toString());
        if (!capability.description().isEmpty()) {
            form.put("description", capability.description());
        }
        form.putArray("required").add("action").add("kind").add(mcp ? "mcp" : "handler");
        ObjectNode members = form.putObject("properties");
        constant(members, "action", "invoke");
        constant(members, "kind", capability.ref().kind().wireName());
        JsonNode input = schemas.put(name + ".input", capability.inputSchema())
                .orElseGet(() -> JsonNodeFactory.instance.objectNode().put("type", "object"));
        if (mcp) {
            ObjectNode call = members.putObject("mcp").put("type", "object");
            call.putArray("required").add("server").add("tool");
            ObjectNode parts = call.putObject("properties");
            constant(parts, "server", capability.server().orElse(""));
            constant(parts, "tool", tool(capability));
            parts.set("args", input);
        } else {
            constant(members, "handler", capability.ref().name());
            members.set("event", input);
        }
        schemas.put(name + ".result", capability.outputSchema())
                .ifPresent(
                        result -> form.put("x-aiel-result", result.path("$ref").asText()));
        schemas.add(name, form);
        forms.addObject().put("$ref", SCHEMAS + name);
        example(capability.inputSchema())
                .ifPresent(value -> examples.putObject(name).set("value", request(capability, value)));
    }

    private static ObjectNode request(Capability capability, JsonNode input) {
        ObjectNode request = JsonNodeFactory.instance.objectNode();
        request.put("action", "invoke").put("kind", capability.ref().kind().wireName());
        if (capability.ref().kind() == CapabilityKind.MCP) {
            request.putObject("mcp")
                    .put("server", capability.server().orElse(""))
                    .put("tool", tool(capability))
                    .set("args", input);
        } else {
            request.put("handler", capability.ref().name()).set("event", input);
        }
        return request;
    }

    private static String tool(Capability capability) {
        return capability.ref().name().substring(capability.server().orElse("").length() + 1);
    }

    private static void constant(ObjectNode members, String name, String value) {
        members.putObject(name).put("const", value);
    }

    private void executions(ArrayNode forms, ObjectNode examples) {
        ObjectNode operation = paths.putObject(EXECUTIONS).putObject("post");
        operation.put("operationId", unique("invoke")).put("summary", "Run a capability and answer with its envelope");
        operation.putArray("parameters").addObject().put("$ref", "#/components/parameters/IdempotencyKey");
        ObjectNode content = operation
                .putObject("requestBody")
                .put("required", true)
                .putObject("content")
                .putObject(JSON);
        content.putObject("schema").set("oneOf", forms);
        if (!examples.isEmpty()) {
            content.set("examples", examples);
        }
        ObjectNode responses = operation.putObject("responses");
        responses.putObject("200").put("$ref", "#/components/responses/Envelope");
        responses.putObject("default").put("$ref", "#/components/responses/EnvelopeOrProblem");
    }

    /** A value that the schema itself gives: for the whole, or for each member that must be there. */
    private static Optional<JsonNode> example(Optional<JsonText> schema) {
        return schema.map(SchemaShelf::read).flatMap(ProjectApi::example);
    }

    private static Optional<JsonNode> example(JsonNode schema) {
        if (schema.path("examples").path(0).isObject()) {
            return Optional.of(schema.path("examples").path(0));
        }
        ObjectNode whole = JsonNodeFactory.instance.objectNode();
        for (Map.Entry<String, JsonNode> member : schema.path("properties").properties()) {
            sample(member.getValue()).ifPresent(value -> whole.set(member.getKey(), value));
        }
        for (JsonNode required : schema.path("required")) {
            if (!whole.has(required.asText())) {
                return Optional.empty();
            }
        }
        return whole.isEmpty() ? Optional.empty() : Optional.of(whole);
    }

    private static Optional<JsonNode> sample(JsonNode schema) {
        for (@Nullable
        JsonNode value : new @Nullable JsonNode[] {
            schema.path("examples").get(0),
            schema.get("example"),
            schema.get("const"),
            schema.path("enum").get(0),
            schema.get("default")
        }) {
            if (value != null) {
                return Optional.of(value);
            }
        }
        return Optional.empty();
    }

    /** A capability's name among components and operations; {@code part} is one of its schemas. */
    private String name(Capability capability, String part) {
        String own = given.computeIfAbsent(
                capability.ref().toString(),
                _ -> unique(NOT_IN_NAMES
                        .matcher(capability.ref().kind().wireName() + "."
                                + capability.ref().name())
                        .replaceAll("_")));
        return part.isEmpty() ? own : own + "." + part;
    }

    private String unique(String wanted) {
        String name = wanted;
        for (int i = 2; !names.add(name); i++) {
            name = wanted + "-" + i;
        }
        return name;
    }
}
