package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.erdtman.jcs.JsonCanonicalizer;
import org.junit.jupiter.api.Test;

/** The library of RFC 8785, which is slow, is the judge of what is written without it. */
class CanonicalJsonTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Test
    void writesEveryCharacterAsTheLibraryDoes() throws Exception {
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            String text = "a" + (char) c + "b";
            String written = new CanonicalJson(0)
                    .beginObject()
                    .member("t", text)
                    .endObject()
                    .toString();
            String judged =
                    new JsonCanonicalizer("{\"t\":\"a\\u" + String.format("%04X", c) + "b\"}").getEncodedString();
            assertThat(written).as("U+%04X", c).isEqualTo(judged);
        }
    }

    /** Seen failing with the hex digits of escapes in upper case, and with a long written as it is beyond 2^53. */
    @Test
    void writesGeneratedMembersAsTheLibraryDoes() throws Exception {
        GeneratedJson generated = new GeneratedJson(1);
        for (int round = 0; round < 5_000; round++) {
            TreeMap<String, Object> members = new TreeMap<>();
            for (int i = 0; i < 6; i++) {
                members.put(generated.text(), i % 2 == 0 ? generated.text() : (Object) generated.number());
            }
            CanonicalJson json = new CanonicalJson(16).beginObject();
            members.forEach((name, value) -> {
                if (value instanceof Long number) {
                    json.member(name, number);
                } else {
                    json.member(name, (String) value);
                }
            });
            // Another order, so that the library has something to put right.
            Map<String, Object> unordered = new HashMap<>(members);
            assertThat(json.endObject().toString())
                    .isEqualTo(new JsonCanonicalizer(JSON.writeValueAsString(unordered)).getEncodedString());
        }
    }

    @Test
    void refusesMembersOutOfOrderAndTwice() {
        CanonicalJson json = new CanonicalJson(16).beginObject().member("b", 1);

        assertThatThrownBy(() -> json.member("a", 1)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> json.member("b", true)).isInstanceOf(IllegalStateException.class);
        // U+1F600 is the smaller one as UTF-16, the greater one as a code point.
        assertThat(json.member("\ud83d\ude00", 1)
                        .member("\ufb33", 1)
                        .endObject()
                        .toString())
                .isEqualTo("{\"b\":1,\"\ud83d\ude00\":1,\"\ufb33\":1}");
    }

    /** Seen failing without the search for repeated names, and without the comparison of numbers. */
    @Test
    void embedsGeneratedDocumentsAsTheLibraryWouldOrNotAtAll() {
        GeneratedJson generated = new GeneratedJson(2);
        int embedded = 0;
        for (int round = 0; round < 10_000; round++) {
            String document = generated.document();
            Optional<String> canonical = EmbeddedJson.canonical(new JsonText(document));
            assertThat(canonical).as(document).isEqualTo(judged(document));
            embedded += canonical.isPresent() ? 1 : 0;
        }
        assertThat(embedded).isBetween(2_500, 9_500);
    }

    /** Seen failing with a parser's usual depth: the record of such an input was one that the log refused for ever. */
    @Test
    void embedsNothingSoDeepThatTheRecordCannotBeRead() {
        AuditCodec codec = new AuditCodec(AuditEvents.CLOCK);
        for (int depth = 990; depth <= 1010; depth++) {
            AuditRecord record = codec.encode(
                    AuditEvents.CONTEXT,
                    AuditEvents.decided("[".repeat(depth) + "]".repeat(depth)),
                    StreamPosition.startOf(AuditEvents.EXECUTION));
            LogEntry entry = LogEntry.parse(record.canonical().getBytes(java.nio.charset.StandardCharsets.UTF_8));
            assertThat(entry.decision()).isEqualTo("allow");
            assertThat(record.canonical().contains("\"input\":[[")).isEqualTo(depth <= 998);
        }
    }

    private static Optional<String> judged(String document) {
        try {
            if (!isExact(document)) {
                return Optional.empty();
            }
            String canonical = new JsonCanonicalizer(document).getEncodedString();
            return RecordText.isLineSafe(canonical) ? Optional.of(canonical) : Optional.empty();
        } catch (IOException | NumberFormatException _) {
            return Optional.empty();
        }
    }

    private static boolean isExact(String document) throws IOException {
        JsonFactory strict = JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        try (JsonParser parser = strict.createParser(document)) {
            JsonToken first = parser.nextToken();
            if (first != JsonToken.START_OBJECT && first != JsonToken.START_ARRAY) {
                return false;
            }
            for (JsonToken token = first; token != null; token = parser.nextToken()) {
                if (token.isNumeric()) {
                    String number = parser.getText();
                    double value = Double.parseDouble(number);
                    boolean isLong = number.matches("-?[0-9]+") && Math.abs(value) > 1L << 53;
                    if (isLong || new BigDecimal(number).compareTo(new BigDecimal(Double.toString(value))) != 0) {
                        return false;
                    }
                }
            }
            return true;
        }
    }
}
