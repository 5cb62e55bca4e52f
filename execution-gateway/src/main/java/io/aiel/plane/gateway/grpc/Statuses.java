package io.aiel.plane.gateway.grpc;

import io.aiel.plane.vocabulary.ErrorCode;
import io.grpc.Status;

/** The one place that knows which status of gRPC an {@link ErrorCode} has. */
final class Statuses {
    private Statuses() {}

    static Status.Code of(ErrorCode code) {
        return switch (code) {
            case VALIDATION_ERROR,
                    MALFORMED_REQUEST,
                    INVALID_PATH,
                    FILE_LIMIT,
                    DIGEST_MISMATCH,
                    NOT_ACCEPTABLE,
                    UNSUPPORTED_MEDIA_TYPE -> Status.Code.INVALID_ARGUMENT;
            case UNAUTHENTICATED -> Status.Code.UNAUTHENTICATED;
            case SECURITY_VIOLATION,
                    PERMISSION_DENIED,
                    POLICY_DENIED,
                    APPROVAL_REQUIRED,
                    SIGNED_URL_INVALID,
                    ACTION_NOT_GRANTED -> Status.Code.PERMISSION_DENIED;
            case NOT_FOUND, CHECKPOINT_NOT_FOUND -> Status.Code.NOT_FOUND;
            case ALREADY_EXISTS -> Status.Code.ALREADY_EXISTS;
            case CONFLICT,
                    NO_DEPLOYMENT,
                    INPUT_NOT_KEPT,
                    SNAPSHOT_REJECTED,
                    IDEMPOTENCY_KEY_REUSED,
                    ACTION_REFUSED,
                    CONNECTION_UNUSABLE -> Status.Code.FAILED_PRECONDITION;
            // To be tried again, but not blindly: the second and third may have run.
            case VERSION_CONFLICT,
                    EXECUTION_IN_PROGRESS,
                    ACTION_IN_PROGRESS,
                    ACTION_OUTCOME_UNKNOWN,
                    WORKER_LOST,
                    EXECUTION_LOST -> Status.Code.ABORTED;
            // gRPC itself says so of a message that is too large.
            case RATE_LIMITED, AUDIT_BACKLOG, CAPACITY_EXHAUSTED, PAYLOAD_TOO_LARGE, QUOTA_EXCEEDED ->
                Status.Code.RESOURCE_EXHAUSTED;
            // What the code did: libraries try none of these again by themselves.
            case USER_CODE_ERROR, MEMORY_LIMIT, PROCESS_LIMIT, OUTPUT_LIMIT, OUTPUT_INVALID -> Status.Code.UNKNOWN;
            case TIMEOUT, REQUEST_TIMEOUT -> Status.Code.DEADLINE_EXCEEDED;
            case CANCELLED -> Status.Code.CANCELLED;
            case INTERNAL -> Status.Code.INTERNAL;
            // Not UNAVAILABLE: this server will not be able to do it later either.
            case ISOLATION_UNAVAILABLE, METHOD_NOT_ALLOWED -> Status.Code.UNIMPLEMENTED;
            // Nothing ran, so trying again is harmless.
            case POLICY_UNAVAILABLE, NOT_READY, ADMISSION_UNAVAILABLE -> Status.Code.UNAVAILABLE;
        };
    }
}
