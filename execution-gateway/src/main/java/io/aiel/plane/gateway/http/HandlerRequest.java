package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.TokenText;
import io.vertx.core.MultiMap;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An HTTP request as a handler of pushed code gets it: the {@code http} object of a runner request. The path is what follows
 * {@code P/http}, decoded once; what another reader of the same bytes could take for another path is refused. Stateless.
 */
final class HandlerRequest {
    /** {@code /v1/workspaces/{workspace}/projects/{project}/http}: the text of each segment, empty for what is looked up. */
    private static final List<String> BASE = List.of("", "v1", "workspaces", "", "projects", "", "http");

    /**
     * Between this server and its caller alone. The token is the caller's, and no code may have it; cookies belong to the plane's
     * address, which all tenants share, so one tenant's code must not see what another's had kept.
     */
    private static final Set<String> KEPT_BACK = Set.of(
            "authorization",
            "x-api-token",
            "proxy-authorization",
            "cookie",
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "expect",
            "content-length");

    private HandlerRequest() {}

    /**
     * The path below {@code P/http}, decoded; begins with a slash.
     *
     * @param target the request's target as it came, without its query
     */
    static String path(String target) {
        List<String> segments = Arrays.asList(target.split("/", -1));
        for (int i = 0; i < BASE.size(); i++) {
            boolean looked = BASE.get(i).isEmpty() && i > 0;
            if (i >= segments.size()
                    || (looked ? segments.get(i).isEmpty() : !segments.get(i).equals(BASE.get(i)))) {
                throw unclear("It is spelt in another way than /v1/workspaces/…/projects/…/http/….");
            }
        }
        StringBuilder path = new StringBuilder();
        for (int i = BASE.size(); i < segments.size(); i++) {
            boolean last = i == segments.size() - 1;
            path.append('/').append(segment(segments.get(i), last));
        }
        return path.isEmpty() ? "/" : path.toString();
    }

    /** Only the last may be empty: that is a slash at the end. */
    private static String segment(String raw, boolean last) {
        if (raw.isEmpty() && !last) {
            throw unclear("Two slashes follow each other.");
        }
        if (raw.indexOf(';') >= 0) {
            throw unclear("A semicolon must be percent-encoded: some servers cut a path there.");
        }
        String text = decoded(raw, false);
        if (text.equals(".") || text.equals("..")) {
            throw unclear("A segment is . or .., which other servers resolve.");
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '/' || c == '\\' || Character.isISOControl(c)) {
                throw unclear("A segment holds a slash, a backslash or a control character.");
            }
        }
        return text;
    }

    private static Refusal unclear(String why) {
        return new Refusal(
                ErrorCode.MALFORMED_REQUEST,
                "The path could be read in more than one way, so it goes to no handler. " + why);
    }

    /**
     * The parameters by name, in their order: a text, or a list of texts where a name is there more than once.
     *
     * @param query as it came; null or empty text for none
     */
    static ObjectNode query(@Nullable String query) {
        ObjectNode parameters = JsonNodeFactory.instance.objectNode();
        if (query == null) {
            return parameters;
        }
        for (String pair : query.split("&", -1)) {
            if (pair.isEmpty()) {
                continue;
            }
            int equals = pair.indexOf('=');
            String name = decoded(equals < 0 ? pair : pair.substring(0, equals), true);
            String value = equals < 0 ? "" : decoded(pair.substring(equals + 1), true);
            add(parameters, name, value);
        }
        return parameters;
    }

    private static void add(ObjectNode parameters, String name, String value) {
        @Nullable JsonNode known = parameters.get(name);
        if (known == null) {
            parameters.put(name, value);
        } else if (known instanceof ArrayNode several) {
            several.add(value);
        } else {
            parameters.putArray(name).add(known).add(value);
        }
    }

    /** The headers by their names in lower case; those of one name as one text, as RFC 9110, section 5.3 joins them. */
    static ObjectNode headers(MultiMap sent) {
        Set<String> hop = new HashSet<>();
        for (String connection : sent.getAll("Connection")) {
            for (String name : connection.split(",", -1)) {
                hop.add(name.strip().toLowerCase(Locale.ROOT));
            }
        }
        ObjectNode headers = JsonNodeFactory.instance.objectNode();
        sent.forEach((given, value) -> {
            String name = given.toLowerCase(Locale.ROOT);
            // A token in a header of another name is a mistake of the caller's, and no code's to see either.
            if (KEPT_BACK.contains(name) || hop.contains(name) || TokenText.isIn(value)) {
                return;
            }
            @Nullable JsonNode known = headers.get(name);
            headers.put(name, known == null ? value : known.asText() + ", " + value);
        });
        return headers;
    }

    /** The body, which the runtime's contract wants to be an object; an empty one is an empty object. */
    static ObjectNode body(byte @Nullable [] bytes, MultiMap headers, ObjectMapper json)
            throws JsonProcessingException {
        if (bytes == null || bytes.length == 0) {
            return JsonNodeFactory.instance.objectNode();
        }
        @Nullable String encoding = headers.get("Content-Encoding");
        if (!isJson(headers.get("Content-Type")) || (encoding != null && !encoding.equalsIgnoreCase("identity"))) {
            throw new Refusal(
                    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                    "HTTP handlers take a JSON object: send application/json in UTF-8, not encoded otherwise.");
        }
        if (json.readTree(text(bytes)) instanceof ObjectNode object) {
            return object;
        }
        throw Refusal.invalid("", "must be a JSON object, which is all that HTTP handlers take");
    }

    private static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "The body is not UTF-8.");
        }
    }

    /** {@code application/json}, or a type whose name ends in {@code +json}; none at all is taken for JSON. */
    private static boolean isJson(@Nullable String mediaType) {
        if (mediaType == null) {
            return true;
        }
        String[] parts = mediaType.toLowerCase(Locale.ROOT).split(";", -1);
        String type = parts[0].strip();
        for (int i = 1; i < parts.length; i++) {
            String parameter = parts[i].strip().replace("\"", "");
            if (parameter.startsWith("charset=") && !parameter.equals("charset=utf-8")) {
                return false;
            }
        }
        return type.equals("application/json") || (type.startsWith("application/") && type.endsWith("+json"));
    }

    /** Percent-decodes UTF-8 once. */
    private static String decoded(String text, boolean plusIsBlank) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '%') {
                int high = i + 2 < text.length() ? Character.digit(text.charAt(i + 1), 16) : -1;
                int low = i + 2 < text.length() ? Character.digit(text.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw unclear("A % is not followed by two hex digits.");
                }
                bytes.write(high << 4 | low);
                i += 2;
            } else if (c >= 0x80) {
                throw unclear("It holds characters that must be percent-encoded.");
            } else {
                bytes.write(c == '+' && plusIsBlank ? ' ' : c);
            }
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw unclear("Its percent-encoding is not UTF-8.");
        }
    }
}
