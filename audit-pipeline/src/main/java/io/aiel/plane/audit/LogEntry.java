package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.TenantId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeParseException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A record as the log keeps it: the bytes that came, a hash computed over them here, and the members that queries filter by.
 * Everything is read out of the bytes, as nothing beside them is covered by the hash.
 */
record LogEntry(
        String stream,
        long sequence,
        String id,
        String tenant,
        @Nullable String workspace,
        @Nullable String project,
        String type,
        OffsetDateTime time,
        @Nullable String principal,
        @Nullable String execution,
        @Nullable String capability,
        @Nullable String decision,
        @Nullable String decisionId,
        @Nullable String policy,
        String hash,
        String prev,
        String canonical) {
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build());
    // What came over the wire must not be able to make the database refuse a batch: a NUL in a column would.
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9_:/.-]{1,200}");
    private static final Pattern SEQUENCE = Pattern.compile("[0-9]{15}");
    private static final int CAPABILITY_CHARACTERS_MAX = 1000;

    /** Reads a message; throws {@link IllegalArgumentException} that says what is wrong when it is no record of ours. */
    static LogEntry parse(byte[] message) {
        String canonical = text(message);
        if (!RecordText.isLineSafe(canonical)) {
            throw new IllegalArgumentException("it holds characters that no record holds");
        }
        JsonNode event;
        try {
            event = JSON.readTree(canonical);
        } catch (IOException e) {
            throw new IllegalArgumentException("it is not JSON", e);
        }
        JsonNode data = event.path("data");
        if (!data.isObject() || !event.path("specversion").asText().equals("1.0")) {
            throw new IllegalArgumentException("it is not a CloudEvents 1.0 event with data");
        }
        String stream = required(event, "stream");
        return new LogEntry(
                stream,
                sequence(event),
                EventId.parse(required(event, "id")).value(),
                TenantId.parse(required(event, "tenant")).value(),
                optional(event, "workspace"),
                optional(event, "project"),
                required(event, "type"),
                time(event),
                optional(event, "principal"),
                stream.startsWith("execution/") ? stream.substring("execution/".length()) : null,
                capability(data),
                optional(data, "decision"),
                optional(data, "decision_id"),
                optional(data, "policy"),
                Digest.of(message).value(),
                new Digest(required(event, "prev")).value(),
                canonical);
    }

    /** This entry with the capability that its stream's first record named. */
    LogEntry withCapability(@Nullable String named) {
        return capability != null || named == null
                ? this
                : new LogEntry(
                        stream,
                        sequence,
                        id,
                        tenant,
                        workspace,
                        project,
                        type,
                        time,
                        principal,
                        execution,
                        named,
                        decision,
                        decisionId,
                        policy,
                        hash,
                        prev,
                        canonical);
    }

    private static String text(byte[] message) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(message))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("it is not UTF-8", e);
        }
    }

    private static long sequence(JsonNode event) {
        String text = event.path("sequence").asText();
        if (!SEQUENCE.matcher(text).matches() || Long.parseLong(text) < 1) {
            throw new IllegalArgumentException("sequence is missing or malformed");
        }
        return Long.parseLong(text);
    }

    private static OffsetDateTime time(JsonNode event) {
        try {
            return Instant.parse(event.path("time").asText()).atOffset(ZoneOffset.UTC);
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException("time is missing or malformed", e);
        }
    }

    private static @Nullable String capability(JsonNode data) {
        JsonNode found = data.path("capability");
        if (!found.isTextual()) {
            return null;
        }
        return RecordText.clean(found.textValue(), CAPABILITY_CHARACTERS_MAX);
    }

    private static String required(JsonNode object, String field) {
        String text = optional(object, field);
        if (text == null) {
            throw new IllegalArgumentException(field + " is missing");
        }
        return text;
    }

    private static @Nullable String optional(JsonNode object, String field) {
        JsonNode found = object.path(field);
        if (found.isMissingNode()) {
            return null;
        }
        if (!found.isTextual() || !WORD.matcher(found.textValue()).matches()) {
            throw new IllegalArgumentException(field + " is malformed");
        }
        return found.textValue();
    }
}
