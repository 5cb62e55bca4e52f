package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A request whose method, path, query, headers and body the caller chooses, among what the connection allows. What it does not allow is
 * refused before anything is connected to.
 *
 * @param target path and query
 * @param ownHost whether it goes to the connection's base URL, and not to one of its other hosts, which get no credentials
 */
record OpenRequest(
        String method,
        BaseUrl to,
        String target,
        Map<String, String> headers,
        Optional<JsonNode> body,
        boolean ownHost) {
    private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE");

    /** About the connection, about who is asking, or read differently by different servers: never the caller's, whatever is allowed. */
    private static final Set<String> NEVER = Set.of(
            "host",
            "authorization",
            "cookie",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "content-length",
            "content-encoding",
            "accept-encoding",
            "expect",
            "upgrade",
            "forwarded",
            "via",
            "x-http-method",
            "x-http-method-override",
            "x-method-override",
            "x-original-url",
            "x-rewrite-url",
            "x-real-ip");

    private static final List<String> NEVER_BEGINNING = List.of("proxy-", "x-forwarded-", ":", "sec-");

    OpenRequest {
        headers = Map.copyOf(headers);
    }

    /** Throws {@link RequestRefused}. */
    static OpenRequest of(ObjectNode settings, ObjectNode params, BaseUrl base, Set<String> privateHosts) {
        String method = params.path("method").asText("GET");
        if (!METHODS.contains(method) || !among(settings.path("methods"), method)) {
            throw RequestRefused.notAllowed("the method is none of those that the connection allows");
        }
        Optional<String> named = Optional.ofNullable(params.path("host").textValue());
        BaseUrl to = named.map(host -> other(settings, host, privateHosts)).orElse(base);
        try {
            String path = RequestPath.canonical(params.path("path").asText());
            if (!allowed(settings.path("paths"), path)) {
                throw RequestRefused.notAllowed("the path is none of those that the connection allows");
            }
            Map<String, JsonNode> query = new LinkedHashMap<>();
            params.path("query").properties().forEach(each -> query.put(each.getKey(), each.getValue()));
            return new OpenRequest(
                    method,
                    to,
                    to.path() + path + RequestQuery.of(query),
                    headers(settings, params),
                    Optional.ofNullable(params.get("body")).filter(body -> !body.isNull()),
                    named.isEmpty());
        } catch (IllegalArgumentException e) {
            throw RequestRefused.params(e);
        }
    }

    private static boolean among(JsonNode list, String text) {
        for (JsonNode each : list) {
            if (text.equals(each.textValue())) {
                return true;
            }
        }
        return false;
    }

    private static BaseUrl other(ObjectNode settings, String host, Set<String> privateHosts) {
        if (!among(settings.path("hosts"), host)) {
            throw RequestRefused.notAllowed("the host is none of those that the connection allows");
        }
        try {
            return BaseUrl.parse(host, privateHosts);
        } catch (IllegalArgumentException e) {
            throw RequestRefused.connection("one of the connection's hosts " + e.getMessage());
        }
    }

    private static boolean allowed(JsonNode patterns, String path) {
        for (JsonNode pattern : patterns) {
            try {
                if (PathPattern.parse(pattern.asText()).allows(path)) {
                    return true;
                }
            } catch (IllegalArgumentException e) {
                throw RequestRefused.connection("one of the connection's paths is wrong: " + e.getMessage());
            }
        }
        return false;
    }

    private static Map<String, String> headers(ObjectNode settings, ObjectNode params) {
        Map<String, String> headers = new LinkedHashMap<>();
        params.path("headers").properties().forEach(each -> {
            String name = each.getKey().toLowerCase(Locale.ROOT);
            boolean listed = settings.path("headers")
                    .valueStream()
                    .anyMatch(
                            allowed -> allowed.asText().toLowerCase(Locale.ROOT).equals(name));
            boolean own = name.equals(settings.path("header_name").asText().toLowerCase(Locale.ROOT));
            if (!listed
                    || own
                    || NEVER.contains(name)
                    || NEVER_BEGINNING.stream().anyMatch(name::startsWith)) {
                throw RequestRefused.notAllowed("a header is none of those that the connection allows");
            }
            headers.put(name, each.getValue().asText());
        });
        return headers;
    }

    @Override
    public String toString() {
        return "OpenRequest(" + method + " " + to.origin() + ")";
    }
}
