package io.aiel.plane.gateway.http;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.microprofile.openapi.OASFactory;
import org.eclipse.microprofile.openapi.OASFilter;
import org.eclipse.microprofile.openapi.models.OpenAPI;
import org.eclipse.microprofile.openapi.models.Operation;
import org.eclipse.microprofile.openapi.models.PathItem;
import org.eclipse.microprofile.openapi.models.headers.Header;
import org.eclipse.microprofile.openapi.models.media.Content;
import org.eclipse.microprofile.openapi.models.media.MediaType;
import org.eclipse.microprofile.openapi.models.media.Schema;
import org.eclipse.microprofile.openapi.models.parameters.Parameter;
import org.eclipse.microprofile.openapi.models.responses.APIResponse;
import org.eclipse.microprofile.openapi.models.responses.APIResponses;
import org.jspecify.annotations.Nullable;

/**
 * Says once for all calls in the OpenAPI document what no method says: the path parameters that the filters read, and every
 * refusal. Runs while the application is built.
 */
public final class ApiDocument implements OASFilter {
    private static final String JSON = "application/json";
    private static final Pattern TEMPLATE = Pattern.compile("\\{([^}]+)\\}");

    /** Paths whose URL is the right; they are called without a token. */
    private static final String SIGNED = "/v1/signed/";

    /** Paths that are read to learn how to get a token. */
    private static final String WELL_KNOWN = "/.well-known/";

    /** Operations whose answer is an envelope, with any status that code may give. */
    private static final Set<String> RUNS = Set.of("createExecution", "replayExecution");

    /** Operations whose answer is a handler's, with any status, headers and media type. */
    private static final Set<String> HANDLERS = Set.of("httpGet", "httpPost", "httpPut", "httpPatch", "httpOptions");

    /** Query parameters that are whole numbers, and the least; the code takes them as text to refuse them by name. */
    private static final Map<String, Integer> NUMBERS =
            Map.of("limit", 1, "after", 0, "expires", 0, "expected_version", 0);

    private static final Map<Integer, String> REFUSALS = refusals();

    private static Map<Integer, String> refusals() {
        Map<Integer, String> refusals = new LinkedHashMap<>();
        refusals.put(400, "The request cannot be read or is not valid; errors names each field");
        refusals.put(401, "A valid token is needed");
        refusals.put(403, "The policy, a role, a scope or a signature does not allow it");
        refusals.put(404, "There is no such thing, or the token may not know of it");
        refusals.put(405, "The path does not answer this method; Allow says which");
        refusals.put(406, "None of the accepted media types can be had");
        refusals.put(408, "The body did not arrive in time");
        refusals.put(409, "It is not as the call expects it to be");
        refusals.put(413, "The body is too large");
        refusals.put(415, "The body's media type is not understood");
        refusals.put(422, "The snapshot did not pass validation, or the idempotency key was used for another request");
        refusals.put(429, "Too much at once; Retry-After says when to come again");
        refusals.put(500, "The plane failed; the log has the cause under the X-Request-Id");
        refusals.put(503, "It cannot be done now; Retry-After says when to come again");
        return refusals;
    }

    @Override
    public void filterOpenAPI(OpenAPI document) {
        REFUSALS.forEach((status, meaning) ->
                document.getComponents().addResponse("Refused" + status, refusal(status, meaning)));
        document.getPaths()
                .getPathItems()
                .forEach((path, item) ->
                        item.getOperations().forEach((method, operation) -> complete(path, item, operation)));
    }

    private static APIResponse refusal(int status, String meaning) {
        Content content = OASFactory.createContent()
                .addMediaType(Problems.MEDIA_TYPE, OASFactory.createMediaType().schema(reference("Problem")));
        Map<String, Header> headers = new HashMap<>();
        if (status == 429 || status == 503) {
            headers.put("Retry-After", header("Seconds to wait", Schema.SchemaType.INTEGER));
        }
        if (status == 405) {
            headers.put("Allow", header("The methods that the path answers", Schema.SchemaType.STRING));
        }
        return OASFactory.createAPIResponse()
                .description(meaning)
                .content(content)
                .headers(headers.isEmpty() ? null : headers);
    }

    private static Header header(String meaning, Schema.SchemaType type) {
        return OASFactory.createHeader()
                .description(meaning)
                .schema(OASFactory.createSchema().addType(type));
    }

    private static Schema reference(String name) {
        return OASFactory.createSchema().ref("#/components/schemas/" + name);
    }

    private static void complete(String path, PathItem item, Operation operation) {
        if (path.startsWith(SIGNED) || path.startsWith(WELL_KNOWN)) {
            operation.setSecurity(List.of());
        }
        addPathParameters(path, item, operation);
        for (Parameter parameter :
                Optional.ofNullable(operation.getParameters()).orElse(List.of())) {
            @Nullable Integer least = NUMBERS.get(String.valueOf(parameter.getName()));
            if (parameter.getIn() == Parameter.In.QUERY && least != null) {
                parameter.setSchema(OASFactory.createSchema()
                        .addType(Schema.SchemaType.INTEGER)
                        .minimum(BigDecimal.valueOf(least)));
            }
        }
        APIResponses responses =
                Optional.ofNullable(operation.getResponses()).orElseGet(OASFactory::createAPIResponses);
        operation.setResponses(responses);
        REFUSALS.keySet().forEach(status -> {
            @Nullable APIResponse said = responses.getAPIResponse(status.toString());
            if (said == null || (said.getRef() == null && said.getContent() == null)) {
                responses.addAPIResponse(
                        status.toString(),
                        OASFactory.createAPIResponse().ref("#/components/responses/Refused" + status));
            }
        });
        if (RUNS.contains(String.valueOf(operation.getOperationId()))) {
            envelopes(responses);
        } else if (HANDLERS.contains(String.valueOf(operation.getOperationId()))) {
            handlers(operation, responses);
        }
    }

    private static void handlers(Operation operation, APIResponses responses) {
        header(
                operation,
                ExecutionCalls.IDEMPOTENCY_KEY,
                "The same request again under the same key is not run again",
                255);
        header(
                operation,
                HttpHandlersResource.ENVIRONMENT,
                "The environment whose handler runs; production without it",
                512);
        for (int status : REFUSALS.keySet()) {
            responses.addAPIResponse(
                    Integer.toString(status), envelope(REFUSALS.get(status)).content(anythingOrProblem()));
        }
        responses.addAPIResponse("200", envelope("As the handler says").content(anything()));
        responses.addAPIResponse("204", envelope("As the handler says, or the path's methods, in Allow"));
        responses.setDefaultValue(
                envelope("As the handler says, or how it ended").content(anythingOrProblem()));
    }

    private static void header(Operation operation, String name, String meaning, int charactersMax) {
        operation.addParameter(OASFactory.createParameter()
                .name(name)
                .in(Parameter.In.HEADER)
                .description(meaning)
                .schema(OASFactory.createSchema()
                        .addType(Schema.SchemaType.STRING)
                        .minLength(1)
                        .maxLength(charactersMax)));
    }

    private static Content anything() {
        return OASFactory.createContent()
                .addMediaType("*/*", OASFactory.createMediaType().schema(OASFactory.createSchema()));
    }

    private static Content anythingOrProblem() {
        return anything()
                .addMediaType(Problems.MEDIA_TYPE, OASFactory.createMediaType().schema(reference("Problem")));
    }

    private static void addPathParameters(String path, PathItem item, Operation operation) {
        List<Parameter> known =
                new ArrayList<>(Optional.ofNullable(operation.getParameters()).orElse(List.of()));
        Optional.ofNullable(item.getParameters()).ifPresent(known::addAll);
        Matcher template = TEMPLATE.matcher(path);
        while (template.find()) {
            String name = template.group(1);
            if (known.stream()
                    .noneMatch(
                            parameter -> parameter.getIn() == Parameter.In.PATH && name.equals(parameter.getName()))) {
                operation.addParameter(OASFactory.createParameter()
                        .name(name)
                        .in(Parameter.In.PATH)
                        .required(true)
                        .description("Its id or slug")
                        .schema(OASFactory.createSchema().addType(Schema.SchemaType.STRING)));
            }
        }
    }

    /** An execution's status is what the code said, so any can come; with an envelope, or a refusal before it began. */
    private static void envelopes(APIResponses responses) {
        for (int status : REFUSALS.keySet()) {
            responses.addAPIResponse(
                    Integer.toString(status), envelope(REFUSALS.get(status)).content(envelopeOrProblem()));
        }
        responses.addAPIResponse(
                "200", envelope("It ran").content(envelopeAlone().addMediaType("text/event-stream", events())));
        responses.setDefaultValue(envelope("As the code said, or how it ended").content(envelopeOrProblem()));
    }

    private static APIResponse envelope(@Nullable String meaning) {
        return OASFactory.createAPIResponse().description(meaning);
    }

    private static Content envelopeAlone() {
        return OASFactory.createContent()
                .addMediaType(JSON, OASFactory.createMediaType().schema(reference("Envelope")));
    }

    private static MediaType events() {
        return OASFactory.createMediaType()
                .schema(OASFactory.createSchema()
                        .addType(Schema.SchemaType.STRING)
                        .description("The events started, log, chunk, and result or error, as they happen"));
    }

    private static Content envelopeOrProblem() {
        return envelopeAlone()
                .addMediaType(Problems.MEDIA_TYPE, OASFactory.createMediaType().schema(reference("Problem")));
    }
}
