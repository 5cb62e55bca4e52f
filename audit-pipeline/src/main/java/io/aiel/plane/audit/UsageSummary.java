package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
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

    private static final JsonFactory JSON = new JsonFactory();
    private static final int WORD_CHARACTERS_MAX = 64;
    private static final int MESSAGE_CHARACTERS_EXPECTED = 512;
    private static final Instant TIME_MIN = Instant.parse("2000-01-01T00:00:00Z");
    private static final Instant TIME_MAX = Instant.parse("3000-01-01T00:00:00Z");
    // 31 years and a pebibyte: beyond what an execution uses, and so far below a bigint that many add up.
    private static final long TIME_MS_MAX = 1_000_000_000_000L;
    private static final long RSS_BYTES_MAX = 1L << 50;

    /** The summary of an {@code execution.finished} record. */
    static UsageSummary ofFinished(String canonical) {
        Members members = new Members();
        try (JsonParser json = JSON.createParser(canonical)) {
            json.nextToken();
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                json.nextToken();
                if (name.equals("data")) { // none of its members has the name of an attribute
                    while (json.nextToken() == JsonToken.FIELD_NAME) {
                        String member = json.currentName();
                        json.nextToken();
                        members.read(json, member.equals("execution_id") ? "execution" : member);
                    }
                } else {
                    members.read(json, name);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("a record of ours is JSON", e);
        }
        return members.summary(FixedWidth.parseTime(members.time).toInstant());
    }

    String toJson() {
        CanonicalJson json = new CanonicalJson(MESSAGE_CHARACTERS_EXPECTED).beginObject();
        json.member("execution", execution);
        json.member("project", project);
        json.member("status", status);
        json.member("tenant", tenant);
        json.member("time", FixedWidth.time(time));
        json.name("usage").beginObject();
        json.member("cpu_ms", usage.cpuMs());
        json.member("max_rss_bytes", usage.maxRssBytes());
        json.member("wall_ms", usage.wallMs());
        json.endObject();
        json.member("workspace", workspace);
        return json.endObject().toString();
    }

    /** Reads {@link #toJson()}; throws {@link IllegalArgumentException} when it is not that. */
    static UsageSummary parse(byte[] message) {
        Members members = new Members();
        try (JsonParser json = JSON.createParser(message)) {
            boolean isObject = json.nextToken() == JsonToken.START_OBJECT;
            while (isObject && json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                json.nextToken();
                members.read(json, name);
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("not a usage summary", e);
        }
        UsageSummary summary = members.summary(time(members.time));
        checkWord("execution", summary.execution, false);
        checkWord("tenant", summary.tenant, false);
        checkWord("workspace", summary.workspace, true);
        checkWord("project", summary.project, true);
        checkWord("status", summary.status, false);
        checkNumber("cpu_ms", summary.usage.cpuMs(), TIME_MS_MAX);
        checkNumber("wall_ms", summary.usage.wallMs(), TIME_MS_MAX);
        checkNumber("max_rss_bytes", summary.usage.maxRssBytes(), RSS_BYTES_MAX);
        return summary;
    }

    private static Instant time(String text) {
        try {
            Instant time = Instant.parse(text);
            // Columns hold less than Java; no summary of ours is of another millennium.
            if (time.isBefore(TIME_MIN) || !time.isBefore(TIME_MAX)) {
                throw new IllegalArgumentException("not a usage summary: time is out of range");
            }
            return time;
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException("not a usage summary", e);
        }
    }

    private static void checkNumber(String name, long number, long max) {
        if (number > max) {
            throw new IllegalArgumentException("not a usage summary: " + name + " is out of range");
        }
    }

    private static void checkWord(String name, String text, boolean mayBeEmpty) {
        boolean fits = text.length() <= WORD_CHARACTERS_MAX && (mayBeEmpty || !text.isEmpty());
        for (int i = 0; fits && i < text.length(); i++) {
            char c = text.charAt(i);
            fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        }
        if (!fits) {
            throw new IllegalArgumentException("not a usage summary: " + name + " is missing or malformed");
        }
    }

    /** The members that a summary is made of, as one pass over a document finds them. */
    private static final class Members {
        private String execution = "";
        private String tenant = "";
        private String workspace = "";
        private String project = "";
        private String status = "";
        private String time = "";
        private Usage usage = Usage.NONE;

        /** Takes the value at hand, or passes over it. */
        void read(JsonParser json, String name) throws IOException {
            switch (name) {
                case "execution" -> execution = json.getValueAsString("");
                case "tenant" -> tenant = json.getValueAsString("");
                case "workspace" -> workspace = json.getValueAsString("");
                case "project" -> project = json.getValueAsString("");
                case "status" -> status = json.getValueAsString("");
                case "time" -> time = json.getValueAsString("");
                case "usage" -> usage = usage(json);
                default -> {}
            }
            json.skipChildren();
        }

        UsageSummary summary(Instant at) {
            return new UsageSummary(execution, tenant, workspace, project, status, at, usage);
        }

        private static Usage usage(JsonParser json) throws IOException {
            long cpuMs = 0;
            long wallMs = 0;
            long maxRssBytes = 0;
            if (json.currentToken() == JsonToken.START_OBJECT) {
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    String name = json.currentName();
                    json.nextToken();
                    switch (name) {
                        case "cpu_ms" -> cpuMs = Math.max(0, json.getValueAsLong());
                        case "wall_ms" -> wallMs = Math.max(0, json.getValueAsLong());
                        case "max_rss_bytes" -> maxRssBytes = Math.max(0, json.getValueAsLong());
                        default -> {}
                    }
                    json.skipChildren();
                }
            }
            return new Usage(cpuMs, wallMs, maxRssBytes);
        }
    }
}
