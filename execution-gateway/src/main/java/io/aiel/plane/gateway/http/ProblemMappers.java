package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import io.aiel.plane.vocabulary.ErrorCode;
import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.ConstraintViolationException;
import jakarta.validation.Path;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Response;
import java.io.CharConversionException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jboss.logging.Logger;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;
import org.jspecify.annotations.Nullable;

/** Turns whatever leaves a resource method, or the framework before it, into a problem document. */
public class ProblemMappers {
    private static final Logger LOG = Logger.getLogger(ProblemMappers.class);
    private static final int CAUSES_MAX = 20;

    @Inject
    RoutingContext routing;

    @Inject
    AllowedMethods allowed;

    /** Ours. */
    @ServerExceptionMapper
    public Response refusal(Refusal refusal) {
        return Problems.response(refusal);
    }

    /** Bean validation of a body or a parameter: names each field. */
    @ServerExceptionMapper
    public Response violations(ConstraintViolationException invalid) {
        List<Map<String, String>> errors = new ArrayList<>();
        for (ConstraintViolation<?> violation : invalid.getConstraintViolations()) {
            errors.add(Map.of("pointer", pointer(violation.getPropertyPath()), "message", violation.getMessage()));
        }
        errors.sort(Comparator.comparing(error -> error.get("pointer") + error.get("message")));
        String first = errors.isEmpty()
                ? "The input is not valid."
                : errors.getFirst().get("pointer") + ": " + errors.getFirst().get("message");
        return Problems.response(new Refusal(ErrorCode.VALIDATION_ERROR, first, Map.of("errors", errors)));
    }

    /** JSON that parses but does not fit. */
    @ServerExceptionMapper
    public Response mismatch(MismatchedInputException unfit) {
        return unreadableJson(unfit);
    }

    /** JSON that does not parse, when it is not wrapped. */
    @ServerExceptionMapper
    public Response unreadable(JsonProcessingException unreadable) {
        return unreadableJson(unreadable);
    }

    /** Bytes that begin like JSON in UTF-32, which the library would read, and do not go on so. */
    @ServerExceptionMapper
    public Response noText(CharConversionException unreadable) {
        return Problems.response(
                new Refusal(ErrorCode.MALFORMED_REQUEST, "The body is not text in UTF-8; send JSON in UTF-8."));
    }

    /** The framework's own: unknown path, wrong method, wrong media type and the like. */
    @ServerExceptionMapper
    public Response framework(WebApplicationException failure) {
        Response given = failure.getResponse();
        int status = given.getStatus();
        if (status < 400) {
            return given;
        }
        if (failure.getCause() instanceof JsonProcessingException unreadable) {
            return unreadableJson(unreadable);
        }
        if (failure.getCause() instanceof Refusal refusal) {
            return Problems.response(refusal);
        }
        return switch (status) {
            case 400 ->
                Problems.response(new Refusal(
                        ErrorCode.MALFORMED_REQUEST, "The request could not be read; see its body, path and query."));
            case 401 -> Problems.response(unauthenticated());
            case 403 -> Problems.response(new Refusal(ErrorCode.PERMISSION_DENIED, "This call is not open to you."));
            case 404 -> Problems.response(Refusal.notFound());
            case 405 -> Problems.response(StrictRequests.methodNotAllowed(allowed.of(routing.normalizedPath())));
            case 406 ->
                Problems.response(new Refusal(
                        ErrorCode.NOT_ACCEPTABLE, "This call answers application/json; change the Accept header."));
            case 413 ->
                Problems.response(new Refusal(
                        ErrorCode.PAYLOAD_TOO_LARGE, "The request's body is larger than this server accepts."));
            case 415 ->
                Problems.response(new Refusal(
                        ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                        "This call does not take that Content-Type; most calls take application/json."));
            default -> internal(failure);
        };
    }

    /** Anything else is a fault of ours or a database that is gone: the cause goes to the log, never to the caller. */
    @ServerExceptionMapper
    public Response fault(Throwable fault) {
        return internal(fault);
    }

    /** The same for every failed authentication, so that it does not say what was wrong. */
    public static Refusal unauthenticated() {
        return new Refusal(
                ErrorCode.UNAUTHENTICATED,
                "Send a valid token in the header Authorization: Bearer <token> or X-API-Token: <token>.");
    }

    private Response internal(Throwable fault) {
        if (routing.response().ended() || routing.response().closed()) {
            // Whoever asked is gone or was answered already, which may be the very cause; nobody reads what follows.
            LOG.debugf(fault, "a call broke off requestId=%s", RequestIds.of(routing));
            return Problems.response(new Refusal(ErrorCode.MALFORMED_REQUEST, "The request broke off."));
        }
        return Problems.response(Faults.refusal(fault, RequestIds.of(routing)));
    }

    /** What stopped the reading of a body may sit below what the reader made of it: a limit of ours is no mistake in the JSON. */
    private static Response unreadableJson(JsonProcessingException failure) {
        @Nullable Throwable cause = failure;
        for (int depth = 0; cause != null && depth < CAUSES_MAX; depth++) {
            if (cause instanceof Refusal refusal) {
                return Problems.response(refusal);
            }
            cause = cause.getCause();
        }
        return Problems.response(json(failure));
    }

    private static Refusal json(JsonProcessingException failure) {
        Map<String, Object> where = new LinkedHashMap<>();
        @Nullable JsonLocation location = failure.getLocation();
        if (location != null && location.getLineNr() > 0) {
            where.put("line", location.getLineNr());
            where.put("column", location.getColumnNr());
        }
        if (failure instanceof UnrecognizedPropertyException unknown) {
            String pointer = pointer(unknown);
            return Refusal.invalid(pointer, "unknown field; known are " + unknown.getKnownPropertyIds());
        }
        if (failure.getOriginalMessage() != null && failure.getOriginalMessage().startsWith("Trailing token")) {
            // Jackson calls it a mismatch of the type that was wanted, which would be a riddle.
            return new Refusal(ErrorCode.MALFORMED_REQUEST, "The body holds more than one JSON document.", where);
        }
        if (failure instanceof JsonMappingException mapping
                && !(failure.getCause() instanceof StreamConstraintsException)) {
            String wanted = failure instanceof MismatchedInputException mismatch && mismatch.getTargetType() != null
                    ? "expected " + kind(mismatch.getTargetType())
                    : "has a wrong value";
            return Refusal.invalid(pointer(mapping), wanted);
        }
        String detail = failure instanceof StreamConstraintsException
                        || failure.getCause() instanceof StreamConstraintsException
                ? "The JSON is nested too deeply, or has too many values or too long a name, number or text."
                : "The body is not well-formed JSON.";
        if (!where.isEmpty()) {
            detail += " Line " + where.get("line") + ", column " + where.get("column") + ".";
        }
        return new Refusal(ErrorCode.MALFORMED_REQUEST, detail, where);
    }

    private static String kind(Class<?> type) {
        if (type == String.class) {
            return "a text";
        }
        if (type == boolean.class || type == Boolean.class) {
            return "true or false";
        }
        if (Number.class.isAssignableFrom(type) || type.isPrimitive()) {
            return "a number";
        }
        if (Iterable.class.isAssignableFrom(type) || type.isArray()) {
            return "an array";
        }
        return java.time.temporal.Temporal.class.isAssignableFrom(type)
                ? "a time such as 2030-01-31T12:00:00Z"
                : "an object";
    }

    private static String pointer(JsonMappingException failure) {
        StringBuilder pointer = new StringBuilder();
        for (JsonMappingException.Reference reference : failure.getPath()) {
            pointer.append('/');
            pointer.append(
                    reference.getFieldName() == null
                            ? Integer.toString(reference.getIndex())
                            : escape(reference.getFieldName()));
        }
        return pointer.toString();
    }

    /** A validation path starts with method and parameter names, which are ours and not the caller's. */
    private static String pointer(Path path) {
        StringBuilder pointer = new StringBuilder();
        String parameter = "";
        for (Path.Node node : path) {
            switch (node.getKind()) {
                case METHOD, CONSTRUCTOR, CROSS_PARAMETER, RETURN_VALUE, BEAN -> {}
                case PARAMETER -> parameter = String.valueOf(node.getName());
                case PROPERTY, CONTAINER_ELEMENT -> {
                    if (node.getIndex() != null) {
                        pointer.append('/').append(node.getIndex());
                    }
                    if (node.getName() != null && !node.getName().startsWith("<")) {
                        pointer.append('/').append(escape(node.getName()));
                    }
                }
            }
        }
        // Without a property below it, the parameter itself is meant: a query or path parameter.
        return pointer.isEmpty() && !parameter.isEmpty() ? "query:" + parameter : pointer.toString();
    }

    private static String escape(String name) {
        return name.replace("~", "~0").replace("/", "~1");
    }
}
