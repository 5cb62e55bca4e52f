package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.StringJoiner;

/** Queries of requests. */
final class RequestQuery {
    private RequestQuery() {}

    /**
     * The query with its question mark, or nothing. An array is its name several times; null is left out; objects throw {@link
     * IllegalArgumentException}.
     */
    static String of(Map<String, JsonNode> values) {
        StringJoiner query = new StringJoiner("&", "?", "").setEmptyValue("");
        values.forEach((name, value) -> {
            if (value.isArray()) {
                value.forEach(each -> add(name, each, query));
            } else {
                add(name, value, query);
            }
        });
        return query.toString();
    }

    private static void add(String name, JsonNode value, StringJoiner to) {
        if (value.isNull()) {
            return;
        }
        if (!value.isValueNode()) {
            throw new IllegalArgumentException("values of a query are texts, numbers, booleans, or lists of those");
        }
        to.add(RequestPath.encoded(name) + "=" + RequestPath.encoded(value.asText()));
    }
}
