package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.aiel.plane.gateway.http.Refusal;
import java.io.IOException;
import java.util.Map;

/** JSON as gRPC carries it: as {@code google.protobuf.Value}, or as bytes. Thread-safe. */
final class JsonValues {
    /**
     * How deep what we send may be nested. Readers of protobuf stop at a hundred messages within each other, and an object
     * takes three.
     */
    static final int DEPTH_MAX = 30;

    /** Up to here a whole number is the same as a floating point one. */
    private static final double WHOLE_MAX = 0x1p53;

    private final ObjectMapper json;
    private final ObjectReader exact;

    JsonValues(ObjectMapper json) {
        this.json = json;
        // A number goes out as the code wrote it.
        this.exact = json.reader()
                .with(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .without(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES);
    }

    ObjectNode object() {
        return json.createObjectNode();
    }

    /** Reads what the plane itself or a worker wrote, which was read before by the same rules. */
    JsonNode read(String text) {
        try {
            return exact.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("what is answered is JSON", e);
        }
    }

    String text(JsonNode node) {
        try {
            return json.writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }

    ByteString bytes(JsonNode node) {
        return ByteString.copyFromUtf8(text(node));
    }

    /** Reads what a caller sent as strictly as a body over HTTP. */
    JsonNode sent(String field, ByteString bytes) {
        try {
            return json.readTree(bytes.newInput());
        } catch (StreamConstraintsException e) {
            throw Refusal.invalid(
                    field, "is nested too deeply, or has too many values or too long a name, number or text");
        } catch (JsonProcessingException e) {
            throw Refusal.invalid(
                    field,
                    "is not one well-formed JSON document"
                            + (e.getLocation() == null
                                    ? ""
                                    : "; line " + e.getLocation().getLineNr() + ", column "
                                            + e.getLocation().getColumnNr()));
        } catch (IOException e) {
            // JSON may be in UTF-32 for the library, and bytes that begin so may not go on so.
            throw Refusal.invalid(field, "is not text in UTF-8");
        }
    }

    /** Throws a {@link Refusal} for what JSON has not. */
    ObjectNode sent(Struct struct) {
        ObjectNode object = object();
        for (Map.Entry<String, Value> member : struct.getFieldsMap().entrySet()) {
            object.set(member.getKey(), sent(member.getValue()));
        }
        return object;
    }

    private JsonNode sent(Value value) {
        JsonNodeFactory nodes = json.getNodeFactory();
        return switch (value.getKindCase()) {
            case NULL_VALUE -> nodes.nullNode();
            case NUMBER_VALUE -> number(value.getNumberValue());
            case STRING_VALUE -> nodes.textNode(value.getStringValue());
            case BOOL_VALUE -> nodes.booleanNode(value.getBoolValue());
            case STRUCT_VALUE -> sent(value.getStructValue());
            case LIST_VALUE -> {
                ArrayNode array = nodes.arrayNode();
                value.getListValue().getValuesList().forEach(element -> array.add(sent(element)));
                yield array;
            }
            case KIND_NOT_SET -> throw Refusal.invalid("input", "holds a Value without a kind; null is null_value");
        };
    }

    private JsonNode number(double number) {
        if (!Double.isFinite(number)) {
            throw Refusal.invalid("input", "holds a number that is infinite or none");
        }
        // It cannot be told from 1.0 whether 1 was meant; a whole number is what schemas and code take for both.
        return number == Math.rint(number) && Math.abs(number) <= WHOLE_MAX
                ? json.getNodeFactory().numberNode((long) number)
                : json.getNodeFactory().numberNode(number);
    }

    /** Whether it can be sent as {@code Value}: not too deep, and without numbers that are beyond floating point. */
    static boolean fitsValue(JsonNode node) {
        return isWithin(node, DEPTH_MAX);
    }

    private static boolean isWithin(JsonNode node, int depth) {
        if (!node.isContainerNode()) {
            return !node.isNumber() || Double.isFinite(node.doubleValue());
        }
        if (depth == 0) {
            return false;
        }
        for (JsonNode child : node) {
            if (!isWithin(child, depth - 1)) {
                return false;
            }
        }
        return true;
    }

    Value value(JsonNode node) {
        return value(node, DEPTH_MAX);
    }

    /** An object; what is nested deeper than can be sent is there as JSON text. */
    Struct struct(JsonNode object) {
        return struct(object, DEPTH_MAX);
    }

    private Struct struct(JsonNode object, int depth) {
        Struct.Builder struct = Struct.newBuilder();
        object.properties().forEach(member -> struct.putFields(member.getKey(), value(member.getValue(), depth - 1)));
        return struct.build();
    }

    private Value value(JsonNode node, int depth) {
        Value.Builder value = Value.newBuilder();
        return switch (node.getNodeType()) {
            case NULL, MISSING -> value.setNullValue(NullValue.NULL_VALUE).build();
            case BOOLEAN -> value.setBoolValue(node.booleanValue()).build();
            case NUMBER -> value.setNumberValue(node.doubleValue()).build();
            case STRING -> value.setStringValue(node.textValue()).build();
            case BINARY, POJO -> throw new IllegalStateException("what was read as JSON has no " + node.getNodeType());
            case OBJECT, ARRAY -> container(node, depth, value);
        };
    }

    private Value container(JsonNode node, int depth, Value.Builder value) {
        if (depth <= 0) {
            return value.setStringValue(text(node)).build();
        }
        if (node.isObject()) {
            return value.setStructValue(struct(node, depth)).build();
        }
        ListValue.Builder list = ListValue.newBuilder();
        node.forEach(element -> list.addValues(value(element, depth - 1)));
        return value.setListValue(list).build();
    }
}
