package io.aiel.plane.gateway.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ErrorsTest {
    private static final Sent SENT = new Sent(
            List.of(), List.of(), "req_1", "00-" + "1".repeat(32) + "-" + "1".repeat(16) + "-00", "", Optional.empty());

    private final ObjectMapper json = new ObjectMapper();
    private final Errors errors = new Errors(json, new JsonValues(json));

    private static Status status(StatusRuntimeException error) {
        return Objects.requireNonNull(StatusProto.fromThrowable(error));
    }

    @Test
    void saysWhichErrorInWhichExecutionAndWhenToComeAgain() throws InvalidProtocolBufferException {
        StatusRuntimeException error = errors.of(
                new Refusal(ErrorCode.CAPACITY_EXHAUSTED, "No room.", Map.of("execution_id", "exec_1", "more", 1))
                        .retryAfter(3),
                SENT);

        Status status = status(error);
        ErrorInfo info = status.getDetails(0).unpack(ErrorInfo.class);
        assertThat(error.getStatus().getCode()).isEqualTo(io.grpc.Status.Code.RESOURCE_EXHAUSTED);
        assertThat(info.getReason()).isEqualTo("CAPACITY_EXHAUSTED");
        assertThat(info.getMetadataMap()).containsExactly(Map.entry("execution_id", "exec_1"));
        assertThat(status.getDetails(1).unpack(RetryInfo.class).getRetryDelay().getSeconds())
                .isEqualTo(3);
        assertThat(Objects.requireNonNull(error.getTrailers()).get(Sent.REQUEST_ID))
                .isEqualTo("req_1");
    }

    @Test
    void tellsNothingOfAFaultOfOurs() {
        StatusRuntimeException error = errors.of(new IllegalStateException("the password is x"), SENT);

        assertThat(status(error).toString()).contains("INTERNAL").doesNotContain("password");
    }

    @Test
    void givesNoTokenBack() {
        String token = "aielp_usr_" + "0".repeat(36);

        StatusRuntimeException error = errors.of(
                new Refusal(ErrorCode.USER_CODE_ERROR, "sent " + token, Map.of("seen", List.of(token))), SENT);

        assertThat(status(error).toString()).contains("[redacted]").doesNotContain("0".repeat(36));
    }

    /** More than a client takes as metadata would reach it as an error of its library, and not as this one. */
    @Test
    void staysWithinWhatClientsTakeAsMetadata() throws InvalidProtocolBufferException {
        List<Map<String, String>> many = IntStream.range(0, 100)
                .mapToObj(n -> Map.of("pointer", "/a/" + n, "message", "ź".repeat(200)))
                .toList();

        StatusRuntimeException error = errors.of(
                new Refusal(
                        ErrorCode.VALIDATION_ERROR,
                        "ź".repeat(5_000),
                        Map.of("errors", many, "traceback", "x".repeat(10_000))),
                SENT);

        Status status = status(error);
        assertThat(status.getSerializedSize()).isLessThanOrEqualTo(3_000);
        Any last = status.getDetails(status.getDetailsCount() - 1);
        assertThat(last.unpack(BadRequest.class).getFieldViolationsCount()).isBetween(1, 20);
    }
}
