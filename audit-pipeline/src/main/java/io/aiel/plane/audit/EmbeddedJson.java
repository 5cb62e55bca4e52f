package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.Optional;
import org.erdtman.jcs.JsonCanonicalizer;

/**
 * A foreign JSON document inside a record. It stands there as JSON where its canonical form means exactly the same, which
 * RFC 8785 promises for I-JSON only; numbers that a double cannot hold, repeated names and text that breaks lines or has no
 * UTF-8 form would be changed, so such a document is kept as a string that holds its text.
 */
final class EmbeddedJson {
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    private static final long EXACT_MAX = 1L << 53;

    private EmbeddedJson() {}

    /** The canonical form, when it means the same as the document and is fit for a record. */
    static Optional<String> canonical(JsonText document) {
        String text = document.value();
        try {
            if (!isExact(text)) {
                return Optional.empty();
            }
            String canonical = new JsonCanonicalizer(text).getEncodedString();
            return RecordText.isLineSafe(canonical) ? Optional.of(canonical) : Optional.empty();
        } catch (IOException _) {
            return Optional.empty(); // not well-formed after all: kept as text
        }
    }

    private static boolean isExact(String text) throws IOException {
        try (JsonParser parser = JSON.createParser(text)) {
            JsonToken first = parser.nextToken();
            if (first != JsonToken.START_OBJECT && first != JsonToken.START_ARRAY) {
                return false;
            }
            for (JsonToken token = first; token != null; token = parser.nextToken()) {
                if (token.isNumeric() && !isExactNumber(parser.getText())) {
                    return false;
                }
            }
            return true;
        }
    }

    private static boolean isExactNumber(String number) {
        if (number.length() <= 15 && number.chars().allMatch(c -> (c >= '0' && c <= '9') || c == '-')) {
            return true;
        }
        double value = Double.parseDouble(number);
        if (!Double.isFinite(value)) {
            return false;
        }
        if (Math.abs(value) > EXACT_MAX && number.indexOf('e') < 0 && number.indexOf('E') < 0) {
            return false; // a long integer may be equal by luck; others with it would not be
        }
        return number.length() <= 400 && new BigDecimal(number).compareTo(new BigDecimal(Double.toString(value))) == 0;
    }
}
