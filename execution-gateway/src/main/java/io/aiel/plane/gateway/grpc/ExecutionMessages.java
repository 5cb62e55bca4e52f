package io.aiel.plane.gateway.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.aiel.grpc.plane.v1.Execution;
import io.aiel.grpc.plane.v1.ExecutionStatus;
import io.aiel.grpc.plane.v1.Kind;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.vertx.core.json.JsonObject;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/** Makes messages of the records of executions. Thread-safe. */
final class ExecutionMessages {
    private static final String STATUS = "EXECUTION_STATUS_";

    private final JsonValues values;

    ExecutionMessages(JsonValues values) {
        this.values = values;
    }

    /** The status's name over HTTP; empty where none is named. Throws a {@link Refusal} for one that is none. */
    static Optional<String> name(ExecutionStatus status) {
        return switch (status) {
            case EXECUTION_STATUS_UNSPECIFIED -> Optional.empty();
            case UNRECOGNIZED -> throw Refusal.invalid("status", "is not a known status");
            default -> Optional.of(status.name().substring(STATUS.length()).toLowerCase(Locale.ROOT));
        };
    }

    /** @param row as HTTP shows it */
    Execution message(JsonObject row) {
        Execution.Builder message = Execution.newBuilder();
        text(row, "id", message::setId);
        text(row, "workspace", message::setWorkspace);
        text(row, "project", message::setProject);
        text(row, "environment", message::setEnvironment);
        text(row, "snapshot_digest", message::setSnapshotDigest);
        text(row, "action", message::setAction);
        text(row, "capability_kind", kind -> message.setCapabilityKind(kind(kind)));
        text(row, "capability_name", message::setCapabilityName);
        text(row, "principal", message::setPrincipal);
        text(
                row,
                "status",
                status -> message.setStatus(ExecutionStatus.valueOf(STATUS + status.toUpperCase(Locale.ROOT))));
        text(row, "error_code", message::setErrorCode);
        text(row, "error_message", message::setErrorMessage);
        text(row, "worker", message::setWorker);
        text(row, "request_id", message::setRequestId);
        text(row, "traceparent", message::setTraceparent);
        text(row, "idempotency_key", message::setIdempotencyKey);
        text(row, "arguments_digest", message::setArgumentsDigest);
        text(row, "result_digest", message::setResultDigest);
        text(row, "decision_id", message::setDecisionId);
        text(row, "policy_digest", message::setPolicyDigest);
        text(row, "replay_of", message::setReplayOf);
        number(row, "timeout_ms", millis -> message.setTimeout(InvokeAnswers.millis(millis)));
        number(row, "http_status", message::setHttpStatus);
        number(row, "priority", message::setPriority);
        number(row, "attempt", message::setAttempt);
        number(row, "attempts_max", message::setAttemptsMax);
        time(row, "requested_at", message::setRequestedAt);
        time(row, "start_at", message::setStartAt);
        time(row, "ready_at", message::setReadyAt);
        time(row, "started_at", message::setStartedAt);
        time(row, "finished_at", message::setFinishedAt);
        time(row, "envelope_expires_at", message::setEnvelopeExpiresAt);
        object(row, "usage", usage -> message.setUsage(InvokeAnswers.usage(values.read(usage.encode()))));
        object(row, "isolation", walls -> message.setIsolation(values.struct(values.read(walls.encode()))));
        object(row, "envelope", answer -> message.setEnvelopeJson(ByteString.copyFromUtf8(answer.encode())));
        return message.build();
    }

    private static Kind kind(String wireName) {
        return Kinds.of(CapabilityKind.parse(wireName));
    }

    private static void text(JsonObject row, String member, Consumer<String> set) {
        Optional.ofNullable(row.getString(member)).ifPresent(set);
    }

    private static void number(JsonObject row, String member, Consumer<Integer> set) {
        Optional.ofNullable(row.getInteger(member)).ifPresent(set);
    }

    private static void object(JsonObject row, String member, Consumer<JsonObject> set) {
        Optional.ofNullable(row.getJsonObject(member)).ifPresent(set);
    }

    private static void time(JsonObject row, String member, Consumer<Timestamp> set) {
        text(row, member, text -> {
            Instant at = Instant.parse(text);
            set.accept(Timestamp.newBuilder()
                    .setSeconds(at.getEpochSecond())
                    .setNanos(at.getNano())
                    .build());
        });
    }
}
