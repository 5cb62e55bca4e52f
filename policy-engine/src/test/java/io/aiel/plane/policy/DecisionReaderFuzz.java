package io.aiel.plane.policy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** The policy's answer: a yes only for an explicit yes, whatever else stands there; never an exception. */
public final class DecisionReaderFuzz {
    private static final ObjectMapper OTHER =
            new ObjectMapper().enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY);

    private DecisionReaderFuzz() {}

    /** The text of a result set. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        switch (DecisionReader.read(text)) {
            case DecisionReader.Reading.Yes yes -> {
                require(allow(text).isBoolean() && allow(text).booleanValue(), "a yes that nobody said");
                yes.obligations().timeoutMs().ifPresent(ms -> require(ms > 0, "a timeout of nothing"));
                yes.obligations().maxMemoryMb().ifPresent(mb -> require(mb > 0, "a memory of nothing"));
                require(yes.reasons().size() <= 64, "a list without end");
            }
            case DecisionReader.Reading.No no -> {
                require(allow(text).isBoolean() && !allow(text).booleanValue(), "a no that nobody said");
                require(!no.reasons().isEmpty(), "a denial without a reason");
            }
            case DecisionReader.Reading.Unusable unusable ->
                require(!unusable.why().isBlank() && unusable.why().length() < 4_096, "a reason that fits a record");
        }
    }

    /** Read by another parser, so that the two can differ. */
    private static JsonNode allow(String text) {
        try {
            @Nullable JsonNode set = OTHER.readTree(text);
            require(set != null && set.size() == 1, "one result");
            return set.path(0).path("result").path("allow");
        } catch (JsonProcessingException e) {
            throw new AssertionError("an answer that is no JSON", e);
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
