package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** What the documents of all projects have in common. */
final class ProjectApiParts {
    private static final String JSON = "application/json";
    private static final String PROBLEM = "#/components/schemas/Problem";
    private static final String ENVELOPE = "#/components/schemas/Envelope";

    private ProjectApiParts() {}

    static void addTo(ObjectNode components) {
        ObjectNode schemas = components.withObjectProperty("schemas");
        envelope(schemas.putObject("Envelope"));
        problem(schemas.putObject("Problem"));
        ObjectNode key = components.putObject("parameters").putObject("IdempotencyKey");
        key.put("name", ExecutionCalls.IDEMPOTENCY_KEY).put("in", "header");
        key.put("description", "The same request again under the same key within a day does not run again.");
        key.putObject("schema").put("type", "string").put("minLength", 1).put("maxLength", 255);
        components
                .putObject("headers")
                .putObject("ExecutionId")
                .put("description", "The execution that this is the answer of")
                .putObject("schema")
                .put("type", "string");
        ObjectNode responses = components.putObject("responses");
        content(responses, "Problem", "Refused, or the handler failed")
                .putObject(Problems.MEDIA_TYPE)
                .putObject("schema")
                .put("$ref", PROBLEM);
        content(responses, "Envelope", "It ran")
                .putObject(JSON)
                .putObject("schema")
                .put("$ref", ENVELOPE);
        ObjectNode either = content(responses, "EnvelopeOrProblem", "How it ended, or why it did not begin");
        either.putObject(JSON).putObject("schema").put("$ref", ENVELOPE);
        either.putObject(Problems.MEDIA_TYPE).putObject("schema").put("$ref", PROBLEM);
    }

    private static ObjectNode content(ObjectNode responses, String name, String description) {
        return responses.putObject(name).put("description", description).putObject("content");
    }

    private static void envelope(ObjectNode schema) {
        schema.put("type", "object").put("description", "How an execution ended, or why it did not begin.");
        schema.putArray("required").add("ok").add("http_status").add("meta");
        ObjectNode members = schema.putObject("properties");
        members.putObject("ok").put("type", "boolean");
        members.putObject("http_status").put("type", "integer");
        members.putObject("result")
                .put("description", "What the code returned; x-aiel-result of its form says which schema.");
        members.putObject("error").putArray("type").add("object").add("null");
        members.putObject("meta").put("type", "object");
    }

    private static void problem(ObjectNode schema) {
        schema.put("type", "object").put("description", "An error (RFC 9457).");
        schema.putArray("required")
                .add("type")
                .add("title")
                .add("status")
                .add("detail")
                .add("code")
                .add("error");
        ObjectNode members = schema.putObject("properties");
        for (String text : new String[] {"type", "title", "detail", "code"}) {
            members.putObject(text).put("type", "string");
        }
        members.putObject("status").put("type", "integer");
        members.putObject("error").put("type", "object");
    }
}
