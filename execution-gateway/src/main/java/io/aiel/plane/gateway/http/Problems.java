package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.TokenText;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.core.Response;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jboss.logging.Logger;

/**
 * The one place that knows which status an {@link ErrorCode} has, and that writes RFC 9457 problem documents. Each document
 * also carries {@code error: {code, message, details}}, which the published clients read. Documents hold nothing that differs
 * from request to request except the detail; the request's id is in the {@code X-Request-Id} header.
 */
public final class Problems {
    /** The media type of every error. */
    public static final String MEDIA_TYPE = "application/problem+json";

    private static final Logger LOG = Logger.getLogger(Problems.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private Problems() {}

    /** The HTTP status of this code. */
    public static int status(ErrorCode code) {
        return switch (code) {
            case VALIDATION_ERROR, MALFORMED_REQUEST, INVALID_PATH, FILE_LIMIT, DIGEST_MISMATCH -> 400;
            case UNAUTHENTICATED -> 401;
            case SECURITY_VIOLATION,
                    PERMISSION_DENIED,
                    POLICY_DENIED,
                    APPROVAL_REQUIRED,
                    SIGNED_URL_INVALID,
                    ACTION_NOT_GRANTED -> 403;
            case NOT_FOUND, CHECKPOINT_NOT_FOUND -> 404;
            case METHOD_NOT_ALLOWED -> 405;
            case NOT_ACCEPTABLE -> 406;
            case REQUEST_TIMEOUT -> 408;
            // Not a status that the SDK tries again by itself: the action may have taken effect.
            case CONFLICT,
                    VERSION_CONFLICT,
                    ALREADY_EXISTS,
                    NO_DEPLOYMENT,
                    EXECUTION_IN_PROGRESS,
                    INPUT_NOT_KEPT,
                    ACTION_IN_PROGRESS,
                    ACTION_OUTCOME_UNKNOWN,
                    CONNECTION_UNUSABLE,
                    QUOTA_EXCEEDED -> 409;
            case PAYLOAD_TOO_LARGE -> 413;
            case UNSUPPORTED_MEDIA_TYPE -> 415;
            case SNAPSHOT_REJECTED, IDEMPOTENCY_KEY_REUSED, ACTION_REFUSED -> 422;
            case RATE_LIMITED, AUDIT_BACKLOG -> 429;
            case CANCELLED -> 499;
            case USER_CODE_ERROR, INTERNAL, MEMORY_LIMIT, PROCESS_LIMIT, OUTPUT_LIMIT -> 500;
            case WORKER_LOST, EXECUTION_LOST -> 502;
            // Not 503: the same server will not be able to do it later either, and the SDK tries 503 again.
            // The same for a result that breaks its contract: the code would run, and do what it does, once more
            // (0020).
            case ISOLATION_UNAVAILABLE, OUTPUT_INVALID -> 501;
            case POLICY_UNAVAILABLE, CAPACITY_EXHAUSTED, NOT_READY, ADMISSION_UNAVAILABLE -> 503;
            case TIMEOUT -> 504;
        };
    }

    private static int status(Refusal refusal) {
        return refusal.status().orElse(status(refusal.code()));
    }

    /** The permanent name of this kind of problem; its page is {@code docs/errors/<code>.md}. */
    public static String type(ErrorCode code) {
        return "urn:aiel:plane:error:" + code.name();
    }

    /** The code as the published clients know it: ours, except where they look for another. */
    private static String clientCode(ErrorCode code) {
        // The SDK takes a 404 for "there is none yet" by this word alone.
        return code == ErrorCode.CHECKPOINT_NOT_FOUND ? "checkpoint_not_found" : code.name();
    }

    /** The problem document as JSON text. */
    public static String document(ErrorCode code, String detail, Map<String, Object> details) {
        return document(code, status(code), detail, details);
    }

    /** The same for an error whose status pushed code chose. */
    static String document(ErrorCode code, int status, String detail, Map<String, Object> details) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("code", clientCode(code));
        error.put("message", detail);
        error.put("details", details);
        Map<String, Object> problem = new LinkedHashMap<>();
        problem.put("type", type(code));
        problem.put("title", code.title());
        problem.put("status", status);
        problem.put("detail", detail);
        problem.put("code", code.name());
        problem.put("error", error);
        try {
            // Details name what the caller sent: a token in the wrong place must not come back and go on into the
            // caller's logs.
            return TokenText.redacted(JSON.writeValueAsString(problem));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("details of a refusal must be of JSON kinds", e);
        }
    }

    /** The whole answer to a refusal. */
    public static Response response(Refusal refusal) {
        Response.ResponseBuilder response = Response.status(status(refusal))
                .header("Content-Type", MEDIA_TYPE)
                .entity(document(refusal.code(), status(refusal), refusal.detail(), refusal.details()));
        headers(refusal).forEach(response::header);
        return response.build();
    }

    /** Answers a request with a refusal where no resource method is involved. */
    public static void write(RoutingContext routing, Refusal refusal) {
        HttpServerResponse response = routing.response();
        if (response.ended()) {
            return;
        }
        response.setStatusCode(status(refusal)).putHeader("Content-Type", MEDIA_TYPE);
        headers(refusal).forEach(response::putHeader);
        // The connection's own failure to take the answer leaves nobody to tell.
        response.end(document(refusal.code(), status(refusal), refusal.detail(), refusal.details()))
                .onFailure(failure -> LOG.debugf("an answer could not be written: %s", failure.toString()));
    }

    /** The headers that go with a refusal: its own, and those that its code always has. */
    static Map<String, String> headers(Refusal refusal) {
        Map<String, String> headers = new LinkedHashMap<>();
        if (refusal.code() == ErrorCode.UNAUTHENTICATED) {
            headers.put("WWW-Authenticate", "Bearer");
        }
        headers.put("Cache-Control", "no-store");
        headers.putAll(refusal.headers());
        return headers;
    }
}
