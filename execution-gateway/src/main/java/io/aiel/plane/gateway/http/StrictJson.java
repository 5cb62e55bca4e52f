package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.quarkus.jackson.ObjectMapperCustomizer;
import jakarta.inject.Singleton;

/**
 * Reads JSON strictly: one document a body, no member twice (RFC 8259, section 4 leaves the meaning of duplicates open). Whatever
 * can be read in two ways could be decided on in one and run in the other. And it reads no more than a server can hold.
 */
@Singleton
public class StrictJson implements ObjectMapperCustomizer {
    /** How deep arrays and objects may be nested in each other. */
    static final int DEPTH_MAX = 1_000;

    /**
     * How many values, names, brackets and braces one document may have. An empty object of three bytes takes about a hundred in memory, so a
     * limit on bytes alone would not bound memory.
     */
    static final long TOKENS_MAX = 500_000;

    /** Longer ones would not fit the frame that takes them to a worker. */
    private static final int TEXT_CHARACTERS_MAX = 8 << 20;

    @Override
    public void customize(ObjectMapper mapper) {
        // The document says text, number or boolean: one is not taken for another.
        refuse(
                mapper,
                LogicalType.Textual,
                CoercionInputShape.Integer,
                CoercionInputShape.Float,
                CoercionInputShape.Boolean);
        refuse(
                mapper,
                LogicalType.Integer,
                CoercionInputShape.String,
                CoercionInputShape.EmptyString,
                CoercionInputShape.Float);
        refuse(
                mapper,
                LogicalType.Boolean,
                CoercionInputShape.String,
                CoercionInputShape.EmptyString,
                CoercionInputShape.Integer);
        mapper.enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
        mapper.getFactory().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
        mapper.getFactory()
                .setStreamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(DEPTH_MAX)
                        .maxTokenCount(TOKENS_MAX)
                        .maxStringLength(TEXT_CHARACTERS_MAX)
                        .build());
    }

    private static void refuse(ObjectMapper mapper, LogicalType wanted, CoercionInputShape... sent) {
        for (CoercionInputShape shape : sent) {
            mapper.coercionConfigFor(wanted).setCoercion(shape, CoercionAction.Fail);
        }
    }
}
