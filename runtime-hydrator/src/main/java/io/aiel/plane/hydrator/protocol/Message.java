package io.aiel.plane.hydrator.protocol;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One frame's object, with its members as they were written: an envelope is passed on digit for digit, never decoded and
 * encoded again.
 */
final class Message {
    static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private static final JsonFactory FACTORY = JSON.getFactory();

    private final String type;
    private final Map<String, String> members;

    private Message(String type, Map<String, String> members) {
        this.type = type;
        this.members = members;
    }

    /** Reads a frame; it must have a {@code type}. */
    static Message parse(String frame) throws ProtocolViolation {
        Message untyped = parseUntyped(frame);
        return new Message(untyped.text("type"), untyped.members);
    }

    /** Reads an object within a frame. */
    static Message parseUntyped(String frame) throws ProtocolViolation {
        Map<String, String> members = new LinkedHashMap<>();
        try (JsonParser parser = FACTORY.createParser(frame)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new ProtocolViolation("frame is not an object");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken first = parser.nextToken();
                int start = (int) parser.currentTokenLocation().getCharOffset();
                if (first.isStructStart()) {
                    parser.skipChildren();
                } else {
                    parser.finishToken();
                }
                int end = (int) parser.currentLocation().getCharOffset();
                members.put(name, frame.substring(start, end).strip());
            }
            if (parser.nextToken() != null) {
                throw new ProtocolViolation("frame holds more than one object");
            }
        } catch (IOException e) {
            throw new ProtocolViolation("frame is not JSON");
        }
        return new Message("", members);
    }

    /** The bytes of one frame holding this object. */
    static byte[] frame(ObjectNode message) {
        return frame(message.toString());
    }

    static byte[] frame(String json) {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(4 + body.length)
                .putInt(body.length)
                .put(body)
                .array();
    }

    String type() {
        return type;
    }

    String text(String name) throws ProtocolViolation {
        JsonNode node = node(name);
        if (!node.isTextual()) {
            throw new ProtocolViolation(missing(name, "a string"));
        }
        return node.textValue();
    }

    Optional<String> optionalText(String name) throws ProtocolViolation {
        JsonNode node = node(name);
        return node.isTextual() ? Optional.of(node.textValue()) : Optional.empty();
    }

    long number(String name) throws ProtocolViolation {
        JsonNode node = node(name);
        if (!node.isIntegralNumber() || !node.canConvertToLong()) {
            throw new ProtocolViolation(missing(name, "a whole number"));
        }
        return node.longValue();
    }

    Optional<Integer> optionalInt(String name) throws ProtocolViolation {
        JsonNode node = node(name);
        return node.isIntegralNumber() && node.canConvertToInt() ? Optional.of(node.intValue()) : Optional.empty();
    }

    boolean flag(String name) throws ProtocolViolation {
        JsonNode node = node(name);
        if (!node.isBoolean()) {
            throw new ProtocolViolation(missing(name, "true or false"));
        }
        return node.booleanValue();
    }

    /** The member as it was written; it must be an object. */
    JsonText object(String name) throws ProtocolViolation {
        return raw(name, '{', "an object");
    }

    /** The member as it was written; it must be an array. */
    JsonText array(String name) throws ProtocolViolation {
        return raw(name, '[', "an array");
    }

    JsonNode node(String name) throws ProtocolViolation {
        String text = members.get(name);
        if (text == null) {
            return JSON.missingNode();
        }
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new ProtocolViolation("member '" + name + "' cannot be read");
        }
    }

    private JsonText raw(String name, char first, String what) throws ProtocolViolation {
        String text = members.get(name);
        if (text == null || text.charAt(0) != first) {
            throw new ProtocolViolation(missing(name, what));
        }
        return new JsonText(text);
    }

    private String missing(String name, String what) {
        return (type.isEmpty() ? "frame" : "frame '" + type + "'") + " must have a member '" + name + "', " + what;
    }
}
