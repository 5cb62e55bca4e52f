package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.aiel.plane.gateway.http.Faults;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.TokenText;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/** Makes errors of gRPC, with {@code google.rpc} details, out of refusals and failures. Thread-safe. */
final class Errors {
    static final String DOMAIN = "plane.aiel.io";
    static final String EXECUTION_ID = "execution_id";

    /** Clients take 8 KiB of metadata with an answer, text of the message and details counted twice or in base 64. */
    private static final int DETAILS_BYTES_MAX = 3_000;

    private static final int MESSAGE_CHARS_MAX = 400;

    private final ObjectMapper json;
    private final JsonValues values;

    Errors(ObjectMapper json, JsonValues values) {
        this.json = json;
        this.values = values;
    }

    /** Logs what is a fault of ours. */
    StatusRuntimeException of(Throwable failure, Sent sent) {
        return of(Faults.refusal(failure, sent.requestId()), sent.answerMetadata());
    }

    private StatusRuntimeException of(Refusal refusal, Metadata trailers) {
        // Details name what the caller sent: a token in the wrong place must not come back (as over HTTP).
        ObjectNode details =
                (ObjectNode) values.read(TokenText.redacted(values.text(json.valueToTree(refusal.details()))));
        JsonNode execution = details.remove(EXECUTION_ID);
        JsonNode errors = details.remove("errors");
        ErrorInfo.Builder info =
                ErrorInfo.newBuilder().setReason(refusal.code().name()).setDomain(DOMAIN);
        if (execution != null) {
            info.putMetadata(EXECUTION_ID, execution.asText());
        }
        Status.Builder status = Status.newBuilder()
                .setCode(Statuses.of(refusal.code()).value())
                .setMessage(limited(TokenText.redacted(refusal.detail())))
                .addDetails(Any.pack(info.build()));
        retryAfter(refusal)
                .ifPresent(seconds -> status.addDetails(Any.pack(RetryInfo.newBuilder()
                        .setRetryDelay(com.google.protobuf.Duration.newBuilder().setSeconds(seconds))
                        .build())));
        if (errors != null) {
            addIfItFits(
                    status,
                    badRequest(errors, DETAILS_BYTES_MAX - status.build().getSerializedSize()));
        }
        if (!details.isEmpty()) {
            addIfItFits(status, values.struct(details));
        }
        return StatusProto.toStatusRuntimeException(status.build(), trailers);
    }

    private static String limited(String message) {
        return message.length() <= MESSAGE_CHARS_MAX ? message : message.substring(0, MESSAGE_CHARS_MAX) + "…";
    }

    private static Optional<Integer> retryAfter(Refusal refusal) {
        return Optional.ofNullable(refusal.headers().get("Retry-After")).map(Integer::valueOf);
    }

    private static void addIfItFits(Status.Builder status, Message detail) {
        Any packed = Any.pack(detail);
        if (status.build().getSerializedSize() + packed.getSerializedSize() <= DETAILS_BYTES_MAX) {
            status.addDetails(packed);
        }
    }

    /** As many of the errors as there is room for. */
    private static BadRequest badRequest(JsonNode errors, int bytesMax) {
        BadRequest.Builder bad = BadRequest.newBuilder();
        for (JsonNode error : errors) {
            BadRequest.FieldViolation violation = BadRequest.FieldViolation.newBuilder()
                    .setField(error.path("pointer").asText())
                    .setDescription(limited(error.path("message").asText()))
                    .build();
            if (bad.build().getSerializedSize() + violation.getSerializedSize() + 100 > bytesMax) {
                break;
            }
            bad.addFieldViolations(violation);
        }
        return bad.build();
    }
}
