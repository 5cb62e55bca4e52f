package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The parameters of {@code firebase.doc.query} as Firestore's structured query, and what it answers. All methods throw {@link
 * IllegalArgumentException} with a text for the caller.
 */
final class FirestoreQuery {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final Map<String, String> OPERATORS = Map.of(
            "==", "EQUAL",
            "!=", "NOT_EQUAL",
            "<", "LESS_THAN",
            "<=", "LESS_THAN_OR_EQUAL",
            ">", "GREATER_THAN",
            ">=", "GREATER_THAN_OR_EQUAL",
            "in", "IN",
            "not-in", "NOT_IN",
            "array-contains", "ARRAY_CONTAINS",
            "array-contains-any", "ARRAY_CONTAINS_ANY");
    private static final Map<String, String> DIRECTIONS = Map.of("asc", "ASCENDING", "desc", "DESCENDING");

    private FirestoreQuery() {}

    /** {@code {"structuredQuery": …}} of {@code collection, collection_group, where, order_by, limit}. */
    static ObjectNode structured(JsonNode params) {
        ObjectNode query = JSON.objectNode();
        query.set("from", JSON.arrayNode().add(from(params)));
        List<JsonNode> filters = filters(params.path("where"));
        if (filters.size() == 1) {
            query.set("where", filters.getFirst());
        } else if (filters.size() > 1) {
            ArrayNode all = JSON.arrayNode().addAll(filters);
            query.set(
                    "where",
                    JSON.objectNode()
                            .set(
                                    "compositeFilter",
                                    JSON.objectNode().put("op", "AND").set("filters", all)));
        }
        List<JsonNode> orders = orders(params.path("order_by"));
        if (!orders.isEmpty()) {
            query.set("orderBy", JSON.arrayNode().addAll(orders));
        }
        query.set("limit", params.path("limit"));
        return JSON.objectNode().set("structuredQuery", query);
    }

    private static ObjectNode from(JsonNode params) {
        String group = params.path("collection_group").asText("");
        if (!group.isEmpty()) {
            if (group.indexOf('/') >= 0) {
                throw new IllegalArgumentException("collection_group is the name of collections, without a path");
            }
            return JSON.objectNode().put("collectionId", group).put("allDescendants", true);
        }
        List<String> path = List.of(params.path("collection").asText().split("/", -1));
        if (path.size() % 2 == 0) {
            throw new IllegalArgumentException(
                    "collection names a document; it is the path of a collection, such as users");
        }
        return JSON.objectNode().put("collectionId", path.getLast());
    }

    private static List<JsonNode> filters(JsonNode where) {
        List<JsonNode> filters = new ArrayList<>();
        if (where.isMissingNode() || where.isNull()) {
            return filters;
        }
        boolean single = where.isObject() || (where.isArray() && where.path(0).isTextual());
        if (single) {
            filters.add(filter(where));
        } else if (where.isArray()) {
            where.forEach(each -> filters.add(filter(each)));
        } else {
            throw new IllegalArgumentException("where is a list of {field, op, value}");
        }
        return filters;
    }

    private static JsonNode filter(JsonNode filter) {
        boolean triple = filter.isArray() && filter.size() == 3;
        JsonNode field = triple ? filter.path(0) : filter.path("field");
        JsonNode op = triple ? filter.path(1) : filter.path("op");
        JsonNode value = triple ? filter.path(2) : filter.path("value");
        String name = OPERATORS.containsValue(op.asText()) ? op.asText() : OPERATORS.getOrDefault(op.asText(), "");
        if (!field.isTextual() || name.isEmpty() || value.isMissingNode()) {
            throw new IllegalArgumentException(
                    "where is a list of {field, op, value}; op is one of ==, !=, <, <=, >, >=, in, not-in, array-contains, array-contains-any");
        }
        ObjectNode of = JSON.objectNode().put("fieldPath", field.textValue());
        if (value.isNull() && (name.equals("EQUAL") || name.equals("NOT_EQUAL"))) {
            String unary = name.equals("EQUAL") ? "IS_NULL" : "IS_NOT_NULL";
            return JSON.objectNode()
                    .set("unaryFilter", JSON.objectNode().put("op", unary).set("field", of));
        }
        ObjectNode comparison = JSON.objectNode().put("op", name);
        comparison.set("field", of);
        comparison.set("value", FirestoreValues.typed(value));
        return JSON.objectNode().set("fieldFilter", comparison);
    }

    private static List<JsonNode> orders(JsonNode orderBy) {
        List<JsonNode> orders = new ArrayList<>();
        if (orderBy.isArray()) {
            orderBy.forEach(each -> orders.add(order(each)));
        } else if (!orderBy.isMissingNode() && !orderBy.isNull()) {
            orders.add(order(orderBy));
        }
        return orders;
    }

    private static JsonNode order(JsonNode order) {
        String field =
                order.isTextual() ? order.textValue() : order.path("field").asText();
        boolean descending = order.isTextual() && field.startsWith("-");
        String direction = DIRECTIONS.getOrDefault(
                order.path("direction").asText(descending ? "desc" : "asc").toLowerCase(Locale.ROOT), "");
        String name = descending ? field.substring(1) : field;
        if (name.isEmpty() || direction.isEmpty()) {
            throw new IllegalArgumentException(
                    "order_by is a field's name, or {field, direction: asc or desc}, or a list of those");
        }
        return JSON.objectNode()
                .put("direction", direction)
                .set("field", JSON.objectNode().put("fieldPath", name));
    }

    /** What a query answers, one element for each document and some without. */
    static ObjectNode documents(JsonNode answer) {
        if (!answer.isArray()) {
            throw new IllegalArgumentException("there is no list in the answer");
        }
        ArrayNode documents = JSON.arrayNode();
        answer.forEach(each -> {
            if (each.has("document")) {
                documents.add(FirestoreValues.document(each.path("document")));
            }
        });
        return JSON.objectNode().put("count", documents.size()).set("documents", documents);
    }
}
