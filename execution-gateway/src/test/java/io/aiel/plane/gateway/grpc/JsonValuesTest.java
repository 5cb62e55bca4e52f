package io.aiel.plane.gateway.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.aiel.grpc.plane.v1.InvokeEvent;
import io.aiel.grpc.plane.v1.InvokeResponse;
import io.aiel.plane.gateway.http.Refusal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonValuesTest {
    private final JsonValues values = new JsonValues(new ObjectMapper());

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"a\":null,\"b\":true,\"c\":\"é\",\"d\":[1,[],{}],\"e\":0.5}",
                "{}",
                "{\"most\":9007199254740992,\"least\":-9007199254740992}"
            })
    void comesBackAsItWas(String json) {
        Struct struct = values.struct(values.read(json));

        assertThat(values.text(values.sent(struct))).isEqualTo(json);
    }

    @Test
    void takesWholeNumbersForWhole() {
        Struct struct = Struct.newBuilder()
                .putFields("n", Value.newBuilder().setNumberValue(5).build())
                .build();

        assertThat(values.text(values.sent(struct))).isEqualTo("{\"n\":5}");
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY})
    void refusesNumbersThatJsonHasNot(double number) {
        Struct struct = Struct.newBuilder()
                .putFields("n", Value.newBuilder().setNumberValue(number).build())
                .build();

        assertThatThrownBy(() -> values.sent(struct)).isInstanceOf(Refusal.class);
    }

    @Test
    void refusesAValueOfNoKind() {
        Struct struct =
                Struct.newBuilder().putFields("n", Value.getDefaultInstance()).build();

        assertThatThrownBy(() -> values.sent(struct)).isInstanceOf(Refusal.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "{} {}", "{\"a\":1", "\u0000", "\0\0\0{{Q"})
    void saysWhichFieldIsNoJson(String text) {
        ObjectMapper strict = new ObjectMapper()
                .enable(com.fasterxml.jackson.databind.DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

        assertThatThrownBy(() -> new JsonValues(strict).sent("input_json", ByteString.copyFromUtf8(text)))
                .isInstanceOf(Refusal.class)
                .hasMessageContaining("input_json");
    }

    /** The deepest that is sent as a value, in the deepest place that there is for one. */
    @Test
    void isReadByClientsAsDeepAsItIsSent() throws InvalidProtocolBufferException {
        String deepest = "{\"a\":".repeat(JsonValues.DEPTH_MAX) + "1" + "}".repeat(JsonValues.DEPTH_MAX);
        InvokeEvent event = InvokeEvent.newBuilder()
                .setResult(InvokeResponse.newBuilder().setResult(values.value(values.read(deepest))))
                .build();

        assertThat(JsonValues.fitsValue(values.read(deepest))).isTrue();
        assertThat(InvokeEvent.parseFrom(event.toByteArray())).isEqualTo(event);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1e400", "[1e400]"})
    void sendsNumbersBeyondFloatingPointAsJson(String json) {
        assertThat(JsonValues.fitsValue(values.read(json))).isFalse();
    }

    @Test
    void cutsWhatIsTooDeepInLogsToText() throws InvalidProtocolBufferException {
        String deep = "{\"a\":".repeat(50) + "1" + "}".repeat(50);

        Struct struct = values.struct(values.read(deep));

        assertThat(Struct.parseFrom(struct.toByteArray()).toString()).contains("string_value");
        assertThat(JsonValues.fitsValue(values.read(deep))).isFalse();
    }
}
