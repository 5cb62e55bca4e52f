package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.ws.rs.core.Response;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a handler's result is on the wire. The status is the envelope's, which the runtime takes out of the result. A result that says
 * a status and has, beside it, nothing but {@code headers} and {@code body} is a response; any other is the body, as JSON. Somebody
 * else's content comes from the plane's address, so what would speak for that address, or for the connection, is not passed on.
 * Stateless.
 */
final class HandlerResponse {
    static final int HEADERS_MAX = 64;

    /** Names and values together. */
    static final int HEADER_CHARACTERS_MAX = 8_192;

    private static final Set<String> STATUS = Set.of("http_status", "status_code", "statusCode", "status");
    private static final Set<String> BASE64 = Set.of("is_base64", "isBase64Encoded");
    private static final String TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~";

    /** Of the connection (RFC 9110, section 7.6.1), of the server, and what a browser takes as the word of the whole address. */
    private static final Set<String> KEPT_BACK = Set.of(
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "content-length",
            "date",
            "server",
            "allow",
            "set-cookie",
            "set-cookie2",
            "www-authenticate",
            "proxy-authenticate",
            "authentication-info",
            "strict-transport-security",
            "public-key-pins",
            "content-security-policy",
            "content-security-policy-report-only",
            "x-content-type-options",
            "clear-site-data",
            "service-worker-allowed",
            "alt-svc",
            "nel",
            "report-to",
            "reporting-endpoints",
            "origin-agent-cluster",
            "x-request-id",
            "traceparent",
            "tracestate",
            "idempotency-replayed");

    private HandlerResponse() {}

    /** The code's result is no response that can be sent; the message says why, and nothing of the result but a header's name. */
    static final class Unsendable extends Exception {
        private static final long serialVersionUID = 1L;

        Unsendable(String message) {
            super(message, null, false, false);
        }
    }

    /** @param status the envelope's, 100 to 599 */
    static Response.ResponseBuilder of(int status, JsonNode result, ObjectMapper json) throws Unsendable {
        Map<String, String> headers = new LinkedHashMap<>();
        byte[] body;
        if (result instanceof ObjectNode response && isResponse(response)) {
            body = body(response, headers, json);
            headers(response.get("headers"), headers);
        } else {
            headers.put("content-type", "application/json");
            body = text(result, json).getBytes(StandardCharsets.UTF_8);
        }
        Response.ResponseBuilder answer = Response.status(sendable(status));
        if (!isWithoutBody(status) && body.length > 0) {
            answer.entity(body);
        } else {
            headers.remove("content-type");
        }
        headers.putIfAbsent("cache-control", "no-store");
        headers.forEach(answer::header);
        return answer.header("Content-Security-Policy", "default-src 'none'; sandbox")
                .header("X-Content-Type-Options", "nosniff");
    }

    /** A status that promises another answer after it cannot be the last one. */
    private static int sendable(int status) {
        return status < 200 ? 200 : status;
    }

    /** RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5. */
    private static boolean isWithoutBody(int status) {
        return status == 204 || status == 205 || status == 304;
    }

    private static boolean isResponse(ObjectNode result) {
        boolean says = false;
        boolean has = false;
        for (Map.Entry<String, JsonNode> member : result.properties()) {
            String name = member.getKey();
            if (STATUS.contains(name)) {
                says |= isStatus(member.getValue());
            } else if (name.equals("headers") || name.equals("body")) {
                has = true;
            } else if (!BASE64.contains(name)) {
                return false;
            }
        }
        return says && has;
    }

    /** As the runtime reads one: a number, or a text of digits. */
    private static boolean isStatus(JsonNode value) {
        return (value.isInt() && value.intValue() >= 100 && value.intValue() <= 599)
                || (value.isTextual() && value.asText().strip().matches("[1-5][0-9]{2}"));
    }

    private static byte[] body(ObjectNode response, Map<String, String> headers, ObjectMapper json) throws Unsendable {
        @Nullable JsonNode body = response.get("body");
        if (body == null || body.isNull()) {
            return new byte[0];
        }
        boolean base64 = BASE64.stream().anyMatch(name -> response.path(name).asBoolean(false));
        if (!body.isTextual()) {
            headers.put("content-type", "application/json");
            return text(body, json).getBytes(StandardCharsets.UTF_8);
        }
        if (!base64) {
            headers.put("content-type", "text/plain; charset=utf-8");
            return body.asText().getBytes(StandardCharsets.UTF_8);
        }
        headers.put("content-type", "application/octet-stream");
        try {
            return Base64.getDecoder().decode(body.asText());
        } catch (IllegalArgumentException e) {
            throw new Unsendable("its body says that it is base64, and is not");
        }
    }

    private static void headers(@Nullable JsonNode given, Map<String, String> headers) throws Unsendable {
        if (given == null || given.isNull()) {
            return;
        }
        if (!given.isObject()) {
            throw new Unsendable("its headers are no object");
        }
        if (given.size() > HEADERS_MAX) {
            throw new Unsendable("it has more than " + HEADERS_MAX + " headers");
        }
        int characters = 0;
        for (Map.Entry<String, JsonNode> header : given.properties()) {
            if (!isToken(header.getKey())) {
                throw new Unsendable("a header's name is not one (RFC 9110, section 5.1)");
            }
            String value = value(header.getKey(), header.getValue());
            characters += header.getKey().length() + value.length();
            if (characters > HEADER_CHARACTERS_MAX) {
                throw new Unsendable("its headers have more than " + HEADER_CHARACTERS_MAX + " characters");
            }
            String name = header.getKey().toLowerCase(Locale.ROOT);
            if (!isKeptBack(name)) {
                headers.put(name, value);
            }
        }
    }

    private static boolean isKeptBack(String name) {
        return KEPT_BACK.contains(name)
                || name.startsWith("access-control-")
                || name.startsWith("cross-origin-")
                || name.startsWith("aiel-")
                || name.startsWith("proxy-");
    }

    /** A text, or a list of texts, which are joined. */
    private static String value(String name, JsonNode value) throws Unsendable {
        StringBuilder joined = new StringBuilder();
        for (JsonNode one : value.isArray() ? value : List.of(value)) {
            if (!one.isTextual() && !one.isNumber()) {
                throw new Unsendable("the header " + name + " is no text");
            }
            joined.append(joined.isEmpty() ? "" : ", ").append(one.asText());
        }
        // A line end would be the start of another header, and of another answer.
        if (!joined.chars().allMatch(c -> (c >= ' ' && c < 0x7f) || c == '\t')) {
            throw new Unsendable("the header " + name + " holds a line end or another character that headers cannot");
        }
        return joined.toString().strip();
    }

    private static boolean isToken(String name) {
        return !name.isEmpty()
                && name.length() <= 128
                && name.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || TOKEN_CHARACTERS.indexOf(c) >= 0);
    }

    private static String text(JsonNode node, ObjectMapper json) {
        try {
            return json.writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree is always writable", e);
        }
    }
}
