package io.aiel.plane.gateway.grpc;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import com.google.protobuf.WireFormat;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * Reads requests, but none of more parts than a JSON document may have: an empty value of two bytes on the wire takes fifty in
 * memory, so a limit on bytes alone would not bound memory. Thread-safe.
 */
final class BoundedMarshaller<Q extends Message> implements MethodDescriptor.Marshaller<Received<Q>> {
    /** As of JSON over HTTP (decision 0014). */
    static final int PARTS_MAX = 500_000;

    private final Parser<Q> parser;
    private final Descriptor type;

    @SuppressWarnings("unchecked") // The parser of a message makes messages of its class.
    BoundedMarshaller(Q prototype) {
        this.parser = (Parser<Q>) prototype.getParserForType();
        this.type = prototype.getDescriptorForType();
    }

    @Override
    public Received<Q> parse(InputStream stream) {
        try {
            byte[] bytes = stream.readAllBytes();
            // So few bytes have no more parts than that.
            if (bytes.length > PARTS_MAX) {
                new Parts().count(CodedInputStream.newInstance(bytes), type);
            }
            return Received.of(parser.parseFrom(bytes));
        } catch (TooManyParts e) {
            return Received.refused(new Refusal(
                    ErrorCode.MALFORMED_REQUEST, "The message has more than " + PARTS_MAX + " fields and values."));
        } catch (InvalidProtocolBufferException e) {
            return Received.refused(new Refusal(
                    ErrorCode.MALFORMED_REQUEST,
                    "The message is not of its type, holds text that is not UTF-8, or is nested too deeply; deep input"
                            + " is for input_json."));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public InputStream stream(Received<Q> value) {
        throw new UnsupportedOperationException("requests are only read");
    }

    private static final class TooManyParts extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooManyParts() {
            super("too many parts", null, false, false);
        }
    }

    /** Counts fields without making anything of them. */
    private static final class Parts {
        /** As deep as the parser itself goes. */
        private static final int DEPTH_MAX = 100;

        private int count;

        void count(CodedInputStream in, Descriptor of) throws IOException {
            count(in, of, 0);
        }

        private void count(CodedInputStream in, Descriptor of, int depth) throws IOException {
            for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
                if (++count > PARTS_MAX) {
                    throw new TooManyParts();
                }
                FieldDescriptor field = of.findFieldByNumber(WireFormat.getTagFieldNumber(tag));
                boolean message = field != null
                        && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
                        && WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_LENGTH_DELIMITED;
                if (message && depth < DEPTH_MAX) {
                    int outer = in.pushLimit(in.readRawVarint32());
                    count(in, field.getMessageType(), depth + 1);
                    in.popLimit(outer);
                } else {
                    in.skipField(tag);
                }
            }
        }
    }
}
