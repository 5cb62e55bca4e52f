package io.aiel.plane.vocabulary;

/**
 * Every error that the plane answers with: a stable name, a stable title, no transport. Each has a page
 * {@code docs/errors/<NAME>.md}; a test compares the two sets both ways.
 */
public enum ErrorCode {
    // The codes of the wire contract.
    VALIDATION_ERROR("The input is not valid"),
    SECURITY_VIOLATION("The code asked for something that it may not do"),
    NOT_FOUND("There is no such thing, or you may not know of it"),
    USER_CODE_ERROR("The invoked code failed"),
    INTERNAL("The plane failed; the log has the cause under the same request id"),
    TIMEOUT("The execution passed its deadline"),
    // How executions end otherwise.
    MEMORY_LIMIT("The execution used more memory than it may"),
    PROCESS_LIMIT("The execution started more processes or threads than it may"),
    OUTPUT_LIMIT("The execution's result is larger than it may be"),
    OUTPUT_INVALID("The code's result is not what it promises"),
    WORKER_LOST("The worker ended before it answered"),
    CANCELLED("The execution was cancelled"),
    EXECUTION_LOST("The execution may have begun, and its end is not known"),
    // Requests.
    UNAUTHENTICATED("A valid token is needed"),
    PERMISSION_DENIED("The principal lacks the role or scope for this call"),
    POLICY_DENIED("The policy does not allow this action"),
    POLICY_UNAVAILABLE("No valid policy decision could be had"),
    APPROVAL_REQUIRED("The policy demands an approval"),
    MALFORMED_REQUEST("The request cannot be read"),
    METHOD_NOT_ALLOWED("The path exists, but not with this method"),
    NOT_ACCEPTABLE("None of the accepted media types can be had"),
    UNSUPPORTED_MEDIA_TYPE("The request's media type is not understood"),
    PAYLOAD_TOO_LARGE("The request is larger than allowed"),
    REQUEST_TIMEOUT("The request did not arrive in time"),
    CHECKPOINT_NOT_FOUND("The thread has no checkpoint"),
    QUOTA_EXCEEDED("The project keeps as much as it may"),
    CONFLICT("The resource changed in the meantime"),
    VERSION_CONFLICT("The file has another version than expected"),
    ALREADY_EXISTS("There is one with this name already"),
    INVALID_PATH("The file path is not allowed"),
    FILE_LIMIT("A limit on files is passed"),
    DIGEST_MISMATCH("The bytes are not those that were announced"),
    SIGNED_URL_INVALID("The signed URL is wrong, expired or used for something else"),
    SNAPSHOT_REJECTED("The snapshot did not pass validation"),
    NO_DEPLOYMENT("The environment has no deployed snapshot"),
    IDEMPOTENCY_KEY_REUSED("The idempotency key was used for another request"),
    EXECUTION_IN_PROGRESS("The execution of this idempotency key has not ended"),
    INPUT_NOT_KEPT("The execution's input was not kept, so it cannot be run again"),
    RATE_LIMITED("Too many requests"),
    // Calls of outside systems.
    ACTION_NOT_GRANTED("The connection does not allow this action"),
    ACTION_REFUSED("The outside system, or the way to it, refused the action"),
    ACTION_IN_PROGRESS("The action of this idempotency key has not ended"),
    ACTION_OUTCOME_UNKNOWN("Whether the action took effect is not known"),
    CONNECTION_UNUSABLE("The connection cannot be used as it is"),
    ISOLATION_UNAVAILABLE("This server cannot isolate what the execution asked for"),
    CAPACITY_EXHAUSTED("No worker became free in time"),
    NOT_READY("The server cannot do this work now"),
    ADMISSION_UNAVAILABLE("The execution could not be recorded, so it did not run"),
    AUDIT_BACKLOG("The audit backlog is full");

    private final String title;

    ErrorCode(String title) {
        this.title = title;
    }

    /** A short sentence that is the same for every occurrence. */
    public String title() {
        return title;
    }
}
