package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Where the members of a worker's envelope are in its text, so that what the worker wrote can be taken over without being decoded
 * and encoded again. Every token of the text is read once. Immutable.
 */
final class WorkerEnvelope {
    private final String text;
    private final List<Member> members;
    private final List<Member> meta;
    private final String errorMessage;

    private WorkerEnvelope(String text, List<Member> members, List<Member> meta, String errorMessage) {
        this.text = text;
        this.members = members;
        this.meta = meta;
        this.errorMessage = errorMessage;
    }

    /** One member: from its name's quote to its value's end. */
    private record Member(String name, int nameStart, int valueStart, int end) {}

    /**
     * An envelope as it is answered.
     *
     * @param result the text of its result, as in the envelope; {@code null} where it has none
     * @param errorMessage its error's message; empty when it has none
     */
    record Completed(JsonText envelope, String result, String errorMessage) {}

    /** Reads by the rules of this factory. Throws {@link IllegalArgumentException} when the text is not exactly one JSON object. */
    static WorkerEnvelope read(JsonText envelope, JsonFactory strict) {
        String text = envelope.value();
        try (JsonParser parser = strict.createParser(text)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new IllegalArgumentException("an envelope is a JSON object");
            }
            WorkerEnvelope read = members(parser, text);
            if (parser.nextToken() != null) {
                throw new IllegalArgumentException("an envelope is one JSON object and nothing else");
            }
            return read;
        } catch (IOException e) {
            throw new IllegalArgumentException("an envelope is strict JSON", e);
        }
    }

    private static WorkerEnvelope members(JsonParser parser, String text) throws IOException {
        List<Member> members = new ArrayList<>();
        List<Member> meta = List.of();
        String errorMessage = "";
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            int nameStart = start(parser);
            JsonToken value = parser.nextToken();
            int valueStart = start(parser);
            if (value == JsonToken.START_OBJECT && name.equals("meta")) {
                meta = membersOf(parser);
            } else if (value == JsonToken.START_OBJECT && name.equals("error")) {
                errorMessage = message(parser);
            } else {
                parser.skipChildren();
            }
            members.add(new Member(name, nameStart, valueStart, end(parser)));
        }
        return new WorkerEnvelope(text, members, meta, errorMessage);
    }

    private static List<Member> membersOf(JsonParser parser) throws IOException {
        List<Member> members = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            int nameStart = start(parser);
            parser.nextToken();
            int valueStart = start(parser);
            parser.skipChildren();
            members.add(new Member(name, nameStart, valueStart, end(parser)));
        }
        return members;
    }

    private static String message(JsonParser parser) throws IOException {
        String message = "";
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (value.isScalarValue() && value != JsonToken.VALUE_NULL && name.equals("message")) {
                message = parser.getText();
            }
            parser.skipChildren();
        }
        return message;
    }

    private static int start(JsonParser parser) {
        return Math.toIntExact(parser.currentTokenLocation().getCharOffset());
    }

    private static int end(JsonParser parser) throws IOException {
        parser.finishToken();
        return Math.toIntExact(parser.currentLocation().getCharOffset());
    }

    /** The envelope with these members in its {@code meta}, in place of any that the worker wrote under their names. */
    Completed withMeta(Map<String, String> own) {
        StringBuilder whole = new StringBuilder(text.length() + 512).append('{');
        String result = "null";
        for (Member member : members) {
            if (member.name().equals("meta")) {
                continue;
            }
            whole.append(text, member.nameStart(), member.end()).append(',');
            if (member.name().equals("result")) {
                result = text.substring(member.valueStart(), member.end());
            }
        }
        whole.append("\"meta\":{");
        for (Member member : meta) {
            if (!own.containsKey(member.name())) {
                whole.append(text, member.nameStart(), member.end()).append(',');
            }
        }
        own.forEach((name, value) ->
                whole.append('"').append(name).append("\":").append(value).append(','));
        if (whole.charAt(whole.length() - 1) == ',') {
            whole.setLength(whole.length() - 1);
        }
        return new Completed(new JsonText(whole.append("}}").toString()), result, errorMessage);
    }
}
