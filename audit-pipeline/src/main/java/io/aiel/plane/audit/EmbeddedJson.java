package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A foreign JSON document inside a record. It stands there as JSON where its canonical form means exactly the same, which
 * RFC 8785 promises for I-JSON only; numbers that a double cannot hold, repeated names and text that breaks lines or has no
 * UTF-8 form would be changed, so such a document is kept as a string that holds its text.
 */
final class EmbeddedJson {
    // A record has two levels around it, and whoever reads the record should need no more than a parser's usual 1000.
    private static final int DEPTH_MAX = StreamReadConstraints.DEFAULT_MAX_DEPTH - 2;
    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(DEPTH_MAX).build())
            .build();
    // RFC 8785 3.2.3: by UTF-16 code units, as Java compares.
    private static final Comparator<Member> CANONICAL_ORDER = Comparator.comparing(Member::name);
    private static final long EXACT_MAX = 1L << 53;

    private EmbeddedJson() {}

    /** What stands between the document and its canonical form: members can be put in order only when all are there. */
    private sealed interface Value {
        /** A string. */
        record Text(String text) implements Value {}

        /** A number or one of the three words, in its canonical form. */
        record Literal(String canonical) implements Value {}

        /** An array. */
        record Elements(List<Value> values) implements Value {}

        /** An object, its members in canonical order. */
        record Members(List<Member> members) implements Value {}
    }

    private record Member(String name, Value value) {}

    /** The canonical form, when it means the same as the document and is fit for a record. */
    static Optional<String> canonical(JsonText document) {
        String text = document.value();
        try (JsonParser parser = JSON.createParser(text)) {
            JsonToken first = parser.nextToken();
            if (first != JsonToken.START_OBJECT && first != JsonToken.START_ARRAY) {
                return Optional.empty();
            }
            Value value = read(parser, first);
            if (value == null || parser.nextToken() != null) {
                return Optional.empty();
            }
            StringBuilder out = new StringBuilder(text.length() + 16);
            write(out, value);
            return Optional.of(out.toString());
        } catch (IOException _) {
            return Optional.empty(); // not well-formed after all: kept as text
        }
    }

    /** The value that begins with this token; null when it, or something in it, has no exact canonical form. */
    private static @Nullable Value read(JsonParser parser, JsonToken token) throws IOException {
        return switch (token) {
            case START_OBJECT -> readMembers(parser);
            case START_ARRAY -> readElements(parser);
            case VALUE_STRING -> {
                String text = parser.getText();
                yield RecordText.isFitOnceEscaped(text) ? new Value.Text(text) : null;
            }
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> {
                String number = exactNumber(parser.getText());
                yield number == null ? null : new Value.Literal(number);
            }
            default -> new Value.Literal(parser.getText());
        };
    }

    private static @Nullable Value readElements(JsonParser parser) throws IOException {
        List<Value> values = new ArrayList<>();
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            Value value = read(parser, token);
            if (value == null) {
                return null;
            }
            values.add(value);
        }
        return new Value.Elements(values);
    }

    private static @Nullable Value readMembers(JsonParser parser) throws IOException {
        List<Member> members = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            Value value = RecordText.isFitOnceEscaped(name) ? read(parser, parser.nextToken()) : null;
            if (value == null) {
                return null;
            }
            members.add(new Member(name, value));
        }
        members.sort(CANONICAL_ORDER);
        for (int i = 1; i < members.size(); i++) {
            if (members.get(i - 1).name().equals(members.get(i).name())) {
                return null;
            }
        }
        return new Value.Members(members);
    }

    private static void write(StringBuilder out, Value value) {
        switch (value) {
            case Value.Text text -> CanonicalJson.quote(out, text.text());
            case Value.Literal literal -> out.append(literal.canonical());
            case Value.Elements elements -> {
                char before = '[';
                for (Value element : elements.values()) {
                    out.append(before);
                    write(out, element);
                    before = ',';
                }
                out.append(before == '[' ? "[]" : "]");
            }
            case Value.Members members -> {
                char before = '{';
                for (Member member : members.members()) {
                    out.append(before);
                    CanonicalJson.quote(out, member.name());
                    out.append(':');
                    write(out, member.value());
                    before = ',';
                }
                out.append(before == '{' ? "{}" : "}");
            }
        }
    }

    /** The number's canonical form; null when that is another number. */
    private static @Nullable String exactNumber(String number) {
        if (number.length() <= 15 && isInteger(number)) {
            return number.equals("-0") ? "0" : number;
        }
        double value = Double.parseDouble(number);
        if (!Double.isFinite(value)) {
            return null;
        }
        if (Math.abs(value) > EXACT_MAX && number.indexOf('e') < 0 && number.indexOf('E') < 0) {
            return null; // a long integer may be equal by luck; others with it would not be
        }
        return number.length() <= 400 && isEqual(number, value) ? CanonicalJson.number(value) : null;
    }

    private static boolean isEqual(String number, double value) {
        try {
            return new BigDecimal(number).compareTo(new BigDecimal(Double.toString(value))) == 0;
        } catch (NumberFormatException _) {
            return false; // its exponent has more than ten digits
        }
    }

    private static boolean isInteger(String number) {
        for (int i = 0; i < number.length(); i++) {
            char c = number.charAt(i);
            if (c != '-' && (c < '0' || c > '9')) {
                return false;
            }
        }
        return true;
    }
}
