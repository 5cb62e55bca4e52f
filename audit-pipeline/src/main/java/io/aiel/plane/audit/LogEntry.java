package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.TenantId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.Arrays;
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
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    private static final int WORD_CHARACTERS_MAX = 200;
    private static final int CAPABILITY_CHARACTERS_MAX = 1000;
    // What the codec writes has less; an index entry of PostgreSQL holds 2,704 bytes, tenant, time and id among them.
    private static final int CAPABILITY_BYTES_MAX = 2_000;
    // What the codec writes has less than half of it. Far more could not be stored in time, and would come for ever.
    private static final int MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
    private static final String OF_EXECUTION = "execution/";
    private static final String OF_CONTROL = "control/";

    /**
     * Reads a message; throws {@link IllegalArgumentException} that says what is wrong, and nothing of the content, when it is no
     * record of ours. What is returned fits the log's columns and indexes.
     */
    static LogEntry parse(byte[] message) {
        if (message.length > MESSAGE_BYTES_MAX) {
            throw new IllegalArgumentException("it is larger than any record");
        }
        String canonical = text(message);
        if (!RecordText.isLineSafe(canonical)) {
            throw new IllegalArgumentException("it holds characters that no record holds");
        }
        Members members = new Members();
        try (JsonParser json = JSON.createParser(message)) {
            members.readEvent(json);
        } catch (IOException e) {
            throw new IllegalArgumentException("it is not JSON", e);
        }
        String stream = required("stream", members.stream);
        return new LogEntry(
                stream,
                FixedWidth.parseSequence(required("sequence", members.sequence)),
                EventId.parse(required("id", members.id)).value(),
                TenantId.parse(required("tenant", members.tenant)).value(),
                members.workspace,
                members.project,
                required("type", members.type),
                FixedWidth.parseTime(required("time", members.time)),
                members.principal,
                executionOf(stream),
                members.capability,
                members.decision,
                members.decisionId,
                members.policy,
                Digest.of(message).value(),
                new Digest(required("prev", members.prev)).value(),
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

    /** The execution that the stream is of; null when it is a tenant's control stream. There are no others. */
    private static @Nullable String executionOf(String stream) {
        if (stream.startsWith(OF_EXECUTION)) {
            return ExecutionId.parse(stream.substring(OF_EXECUTION.length())).value();
        }
        if (!stream.startsWith(OF_CONTROL)) {
            throw new IllegalArgumentException("stream is malformed");
        }
        TenantId.parse(stream.substring(OF_CONTROL.length()));
        return null;
    }

    private static String text(byte[] message) {
        String text = new String(message, StandardCharsets.UTF_8);
        // What is no UTF-8 became this character, which may also have been there.
        if (text.indexOf('\uFFFD') >= 0 && !Arrays.equals(text.getBytes(StandardCharsets.UTF_8), message)) {
            throw new IllegalArgumentException("it is not UTF-8");
        }
        return text;
    }

    private static String required(String name, @Nullable String value) {
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    /** The members that the log needs, as one pass over the message finds them; of all others only that they are JSON. */
    private static final class Members {
        private @Nullable String stream;
        private @Nullable String sequence;
        private @Nullable String id;
        private @Nullable String tenant;
        private @Nullable String workspace;
        private @Nullable String project;
        private @Nullable String type;
        private @Nullable String time;
        private @Nullable String principal;
        private @Nullable String prev;
        private @Nullable String capability;
        private @Nullable String decision;
        private @Nullable String decisionId;
        private @Nullable String policy;

        void readEvent(JsonParser json) throws IOException {
            boolean hasVersion = false;
            boolean hasData = false;
            boolean isObject = json.nextToken() == JsonToken.START_OBJECT;
            while (isObject && json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                switch (name) {
                    case "specversion" ->
                        hasVersion = value == JsonToken.VALUE_STRING
                                && json.getText().equals("1.0");
                    case "data" -> {
                        hasData = value == JsonToken.START_OBJECT;
                        readData(json);
                    }
                    case "stream" -> stream = word(json, name);
                    case "sequence" -> sequence = word(json, name);
                    case "id" -> id = word(json, name);
                    case "tenant" -> tenant = word(json, name);
                    case "workspace" -> workspace = word(json, name);
                    case "project" -> project = word(json, name);
                    case "type" -> type = word(json, name);
                    case "time" -> time = word(json, name);
                    case "principal" -> principal = word(json, name);
                    case "prev" -> prev = word(json, name);
                    default -> json.skipChildren();
                }
            }
            if (!hasVersion || !hasData) {
                throw new IllegalArgumentException("it is not a CloudEvents 1.0 event with data");
            }
            if (json.nextToken() != null) {
                throw new IllegalArgumentException("it is more than one JSON document");
            }
        }

        private void readData(JsonParser json) throws IOException {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                json.skipChildren();
                return;
            }
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                switch (name) {
                    case "capability" -> {
                        if (value == JsonToken.VALUE_STRING) {
                            capability = capability(json.getText());
                        }
                        json.skipChildren();
                    }
                    case "decision" -> decision = word(json, name);
                    case "decision_id" -> decisionId = word(json, name);
                    case "policy" -> policy = word(json, name);
                    default -> json.skipChildren();
                }
            }
        }

        private static String capability(String given) {
            String text = RecordText.clean(given, CAPABILITY_CHARACTERS_MAX);
            if (text.getBytes(StandardCharsets.UTF_8).length > CAPABILITY_BYTES_MAX) {
                throw new IllegalArgumentException("capability is malformed");
            }
            return text;
        }

        private static String word(JsonParser json, String name) throws IOException {
            if (json.currentToken() == JsonToken.VALUE_STRING) {
                String text = json.getText();
                if (isWord(text)) {
                    return text;
                }
            }
            throw new IllegalArgumentException(name + " is malformed");
        }

        /** What came over the wire must not be able to make the database refuse a batch: a NUL in a column would. */
        private static boolean isWord(String text) {
            if (text.isEmpty() || text.length() > WORD_CHARACTERS_MAX) {
                return false;
            }
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                boolean fits = (c >= 'a' && c <= 'z')
                        || (c >= '-' && c <= ':') // hyphen, dot, slash, digits, colon
                        || (c >= 'A' && c <= 'Z')
                        || c == '_';
                if (!fits) {
                    return false;
                }
            }
            return true;
        }
    }
}
