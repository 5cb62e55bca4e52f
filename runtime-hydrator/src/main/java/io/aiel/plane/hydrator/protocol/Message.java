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
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One frame's object, with its members as they were written: an envelope is passed on digit for digit, never decoded and
 * encoded again.
 */
final class Message {
    static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private static final JsonFactory FACTORY = JSON.getFactory();

    /** The object in a frame whose members are read in the same pass. */
    private static final String READ_WITHIN = "envelope";

    /** The member that may be any value, and is kept as it was written. */
    private static final String AS_WRITTEN = "data";

    /**
     * One member: a string's text, a whole number's value, or where in the frame what it is was written.
     *
     * @param within its own members, of {@value #READ_WITHIN}
     */
    private record Member(
            JsonToken kind,
            String text,
            long number,
            int start,
            int end,
            @Nullable Message within) {
        /** A whole number within 64 bits: of these alone the place in the frame is not kept. */
        boolean isNumber() {
            return kind == JsonToken.VALUE_NUMBER_INT && end == 0;
        }

        static Member of(JsonToken kind) {
            return new Member(kind, "", 0, 0, 0, null);
        }

        static Member of(String text) {
            return new Member(JsonToken.VALUE_STRING, text, 0, 0, 0, null);
        }

        static Member of(long number) {
            return new Member(JsonToken.VALUE_NUMBER_INT, "", number, 0, 0, null);
        }
    }

    private final String frame;
    private final Map<String, Member> members = new HashMap<>();
    private String type = "";

    private Message(String frame) {
        this.frame = frame;
    }

    /** Reads a frame; it must have a {@code type}. */
    static Message parse(String frame) throws ProtocolViolation {
        Message message = new Message(frame);
        try (JsonParser parser = FACTORY.createParser(frame)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new ProtocolViolation("frame is not an object");
            }
            message.readMembers(parser, true);
            if (parser.nextToken() != null) {
                throw new ProtocolViolation("frame holds more than one object");
            }
        } catch (IOException e) {
            throw new ProtocolViolation("frame is not JSON");
        }
        message.type = message.text("type");
        return message;
    }

    private void readMembers(JsonParser parser, boolean within) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken kind = parser.nextToken();
            members.put(
                    name,
                    name.equals(AS_WRITTEN)
                            ? written(parser, kind, false)
                            : readMember(parser, kind, within && name.equals(READ_WITHIN)));
        }
    }

    private Member readMember(JsonParser parser, JsonToken kind, boolean within) throws IOException {
        switch (kind) {
            case VALUE_STRING -> {
                return Member.of(parser.getText());
            }
            case VALUE_TRUE, VALUE_FALSE, VALUE_NULL -> {
                return Member.of(kind);
            }
            case VALUE_NUMBER_INT -> {
                if (parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
                    return Member.of(parser.getLongValue());
                }
            }
            default -> {}
        }
        return written(parser, kind, within);
    }

    private Member written(JsonParser parser, JsonToken kind, boolean within) throws IOException {
        int start = (int) parser.currentTokenLocation().getCharOffset();
        Message inner = null;
        if (kind == JsonToken.START_OBJECT && within) {
            inner = new Message(frame);
            inner.readMembers(parser, false);
        } else if (kind.isStructStart()) {
            parser.skipChildren();
        } else {
            parser.finishToken();
        }
        int end = (int) parser.currentLocation().getCharOffset();
        return new Member(kind, "", 0, start, end, inner);
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
        return optionalText(name).orElseThrow(() -> new ProtocolViolation(missing(name, "a string")));
    }

    Optional<String> optionalText(String name) {
        Member member = members.get(name);
        return member != null && member.kind() == JsonToken.VALUE_STRING
                ? Optional.of(member.text())
                : Optional.empty();
    }

    long number(String name) throws ProtocolViolation {
        Member member = members.get(name);
        if (member == null || !member.isNumber()) {
            throw new ProtocolViolation(missing(name, "a whole number"));
        }
        return member.number();
    }

    Optional<Integer> optionalInt(String name) {
        Member member = members.get(name);
        return member != null && member.isNumber() && member.number() == (int) member.number()
                ? Optional.of((int) member.number())
                : Optional.empty();
    }

    boolean flag(String name) throws ProtocolViolation {
        Member member = members.get(name);
        if (member == null || !member.kind().isBoolean()) {
            throw new ProtocolViolation(missing(name, "true or false"));
        }
        return member.kind() == JsonToken.VALUE_TRUE;
    }

    /** The member as it was written; it must be an object. */
    JsonText object(String name) throws ProtocolViolation {
        return raw(name, JsonToken.START_OBJECT, "an object");
    }

    /** The member as it was written; it must be an array. */
    JsonText array(String name) throws ProtocolViolation {
        return raw(name, JsonToken.START_ARRAY, "an array");
    }

    /** The member {@value #AS_WRITTEN} as it was written; it must be there. */
    JsonText data() throws ProtocolViolation {
        Member member = members.get(AS_WRITTEN);
        if (member == null) {
            throw new ProtocolViolation(missing(AS_WRITTEN, "any value"));
        }
        return new JsonText(written(member));
    }

    /** The members of {@code envelope}. */
    Message envelope() throws ProtocolViolation {
        Member member = members.get(READ_WITHIN);
        Message within = member == null ? null : member.within();
        if (within == null) {
            throw new ProtocolViolation(missing(READ_WITHIN, "an object"));
        }
        return within;
    }

    /** The object or array; missing when the member is neither. */
    JsonNode node(String name) throws ProtocolViolation {
        Member member = members.get(name);
        if (member == null || !member.kind().isStructStart()) {
            return JSON.missingNode();
        }
        try {
            return JSON.readTree(written(member));
        } catch (IOException e) {
            throw new ProtocolViolation("member '" + name + "' cannot be read");
        }
    }

    private JsonText raw(String name, JsonToken kind, String what) throws ProtocolViolation {
        Member member = members.get(name);
        if (member == null || member.kind() != kind) {
            throw new ProtocolViolation(missing(name, what));
        }
        return new JsonText(written(member));
    }

    private String written(Member member) {
        return frame.substring(member.start(), member.end());
    }

    private String missing(String name, String what) {
        return (type.isEmpty() ? "frame" : "frame '" + type + "'") + " must have a member '" + name + "', " + what;
    }
}
