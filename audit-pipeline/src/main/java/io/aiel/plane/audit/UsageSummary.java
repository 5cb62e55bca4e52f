package io.aiel.plane.audit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Usage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;

/**
 * What one finished execution used: the message on the telemetry topic. Ids and numbers only.
 *
 * @param workspace empty text when none
 * @param project empty text when none
 */
public record UsageSummary(
        String execution, String tenant, String workspace, String project, String status, Instant time, Usage usage) {
    /** The message's {@code type} header. */
    static final String TYPE = "io.aiel.plane.telemetry.usage.v1";

    private static final ObjectMapper JSON = new ObjectMapper();

    /** The summary of an {@code execution.finished} record. */
    static UsageSummary ofFinished(String canonical) {
        try {
            JsonNode event = JSON.readTree(canonical);
            JsonNode data = event.path("data");
            return new UsageSummary(
                    data.path("execution_id").asText(),
                    event.path("tenant").asText(),
                    event.path("workspace").asText(),
                    event.path("project").asText(),
                    data.path("status").asText(),
                    Instant.parse(event.path("time").asText()),
                    usage(data.path("usage")));
        } catch (IOException e) {
            throw new UncheckedIOException("a record of ours is JSON", e);
        }
    }

    String toJson() {
        ObjectNode json = JSON.createObjectNode();
        json.put("execution", execution)
                .put("tenant", tenant)
                .put("workspace", workspace)
                .put("project", project)
                .put("status", status)
                .put("time", time.toString());
        json.putObject("usage")
                .put("cpu_ms", usage.cpuMs())
                .put("wall_ms", usage.wallMs())
                .put("max_rss_bytes", usage.maxRssBytes());
        return json.toString();
    }

    /** Reads {@link #toJson()}; throws {@link IllegalArgumentException} when it is not that. */
    static UsageSummary parse(byte[] message) {
        try {
            JsonNode json = JSON.readTree(message);
            UsageSummary summary = new UsageSummary(
                    word(json, "execution", false),
                    word(json, "tenant", false),
                    word(json, "workspace", true),
                    word(json, "project", true),
                    word(json, "status", false),
                    Instant.parse(json.path("time").asText()),
                    usage(json.path("usage")));
            return summary;
        } catch (IOException | DateTimeParseException e) {
            throw new IllegalArgumentException("not a usage summary", e);
        }
    }

    private static String word(JsonNode json, String field, boolean mayBeEmpty) {
        String text = json.path(field).asText();
        if (!text.matches("[a-z0-9_]{0,64}") || (text.isEmpty() && !mayBeEmpty)) {
            throw new IllegalArgumentException("not a usage summary: " + field + " is missing or malformed");
        }
        return text;
    }

    private static Usage usage(JsonNode json) {
        return new Usage(
                Math.max(0, json.path("cpu_ms").asLong()),
                Math.max(0, json.path("wall_ms").asLong()),
                Math.max(0, json.path("max_rss_bytes").asLong()));
    }
}
