package io.aiel.plane.gateway.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.aiel.grpc.plane.v1.InvokeRequest;
import io.aiel.plane.gateway.http.Refusal;
import org.junit.jupiter.api.Test;

class BoundedMarshallerTest {
    private final BoundedMarshaller<InvokeRequest> marshaller =
            new BoundedMarshaller<>(InvokeRequest.getDefaultInstance());

    private Received<InvokeRequest> read(byte[] bytes) {
        return marshaller.parse(new java.io.ByteArrayInputStream(bytes));
    }

    private static InvokeRequest withElements(int elements) {
        ListValue.Builder list = ListValue.newBuilder();
        for (int i = 0; i < elements; i++) {
            list.addValues(Value.newBuilder().setNumberValue(1));
        }
        return InvokeRequest.newBuilder()
                .setInput(Struct.newBuilder()
                        .putFields("a", Value.newBuilder().setListValue(list).build()))
                .build();
    }

    @Test
    void readsWhatFits() {
        InvokeRequest request = withElements(200_000);

        assertThat(read(request.toByteArray()).orThrow()).isEqualTo(request);
    }

    @Test
    void makesNothingOfAMessageOfTooManyParts() {
        byte[] bytes = withElements(300_000).toByteArray();

        assertThat(bytes.length).isLessThan(6 << 20);
        assertThatThrownBy(() -> read(bytes).orThrow())
                .isInstanceOf(Refusal.class)
                .hasMessageContaining("500000");
    }

    @Test
    void takesManyBytesInOnePart() {
        InvokeRequest request = InvokeRequest.newBuilder()
                .setInputJson(ByteString.copyFrom(new byte[5 << 20]))
                .build();

        assertThat(read(request.toByteArray()).orThrow()).isEqualTo(request);
    }

    @Test
    void refusesWhatIsNoMessage() {
        byte[] half = withElements(10).toByteArray();
        byte[] notUtf8 = {0x0a, 2, (byte) 0xc3, 0x28};

        for (byte[] bytes : new byte[][] {java.util.Arrays.copyOf(half, half.length - 1), notUtf8, new byte[700_000]}) {
            assertThatThrownBy(() -> read(bytes).orThrow()).isInstanceOf(Refusal.class);
        }
    }

    @Test
    void refusesWhatIsNestedTooDeeply() {
        Value nested = Value.newBuilder().setBoolValue(true).build();
        for (int i = 0; i < 60; i++) {
            nested = Value.newBuilder()
                    .setListValue(ListValue.newBuilder().addValues(nested))
                    .build();
        }
        InvokeRequest request = InvokeRequest.newBuilder()
                .setInput(Struct.newBuilder().putFields("a", nested))
                .build();

        assertThatThrownBy(() -> read(request.toByteArray()).orThrow()).isInstanceOf(Refusal.class);
    }
}
