package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import org.bson.BsonDocument;
import org.bson.BsonRegularExpression;
import org.bson.BsonString;
import org.bson.BsonType;
import org.bson.BsonValue;
import org.bson.json.JsonMode;
import org.bson.json.JsonWriterSettings;

/**
 * Filters, updates and documents: JSON to BSON and back (relaxed Extended JSON v2), and only such operators as compare or change values. What is not
 * in a list here is refused, so that nothing that runs code, computes, or reaches another collection gets through by being new.
 */
final class MongoQueries {
    /** As many as MongoDB takes. */
    private static final int DEPTH_MAX = 100;

    /** A decimal has 34 digits, and some more characters. */
    private static final int DECIMAL_CHARS_MAX = 64;

    private static final JsonWriterSettings RELAXED =
            JsonWriterSettings.builder().outputMode(JsonMode.RELAXED).build();

    private static final Set<String> FILTER = Set.of(
            "$all",
            "$and",
            "$bitsAllClear",
            "$bitsAllSet",
            "$bitsAnyClear",
            "$bitsAnySet",
            "$box",
            "$caseSensitive",
            "$center",
            "$centerSphere",
            "$diacriticSensitive",
            "$elemMatch",
            "$eq",
            "$exists",
            "$geoIntersects",
            "$geoWithin",
            "$geometry",
            "$gt",
            "$gte",
            "$in",
            "$language",
            "$lt",
            "$lte",
            "$maxDistance",
            "$minDistance",
            "$mod",
            "$ne",
            "$near",
            "$nearSphere",
            "$nin",
            "$nor",
            "$not",
            "$options",
            "$or",
            "$polygon",
            "$regex",
            "$search",
            "$size",
            "$text",
            "$type");

    private static final Set<String> UPDATE = Set.of(
            "$addToSet",
            "$bit",
            "$currentDate",
            "$inc",
            "$max",
            "$min",
            "$mul",
            "$pop",
            "$pull",
            "$pullAll",
            "$push",
            "$rename",
            "$set",
            "$setOnInsert",
            "$unset");

    private static final Set<String> PUSHES = Set.of("$addToSet", "$push");

    /** What goes with them; $pull has a filter. */
    private static final Set<String> MODIFIERS = Set.of("$each", "$position", "$slice", "$sort");

    private static final Set<String> PROJECTION = Set.of("$elemMatch", "$meta", "$slice");

    private MongoQueries() {}

    /** Throws {@link RequestRefused} that names what is not taken. */
    static BsonDocument filter(JsonNode json) {
        BsonDocument filter = parsed(json, "filter");
        check(filter, "filter", 0, FILTER);
        return filter;
    }

    static BsonDocument update(JsonNode json) {
        BsonDocument update = parsed(json, "update");
        if (update.isEmpty()) {
            throw invalid("update changes nothing; say what with $set or another operator.");
        }
        update.forEach((operator, change) -> {
            if (!UPDATE.contains(operator)) {
                throw notTaken(operator, "update");
            }
            if (PUSHES.contains(operator) && change instanceof BsonDocument fields) {
                fields.forEach(MongoQueries::checkPush);
            } else {
                check(change, "update", 1, operator.equals("$pull") ? FILTER : Set.of());
            }
        });
        return update;
    }

    /** Modifiers stand right below the field; deeper they would be names of what is kept. */
    private static void checkPush(String field, BsonValue pushed) {
        checkName(field, "update");
        if (field.startsWith("$")) {
            throw notTaken(field, "update");
        }
        if (pushed instanceof BsonDocument document) {
            document.forEach((name, value) -> {
                checkName(name, "update");
                if (name.startsWith("$") && !MODIFIERS.contains(name)) {
                    throw notTaken(name, "update");
                }
                check(value, "update", 3, Set.of());
            });
        } else {
            check(pushed, "update", 2, Set.of());
        }
    }

    static BsonDocument projection(JsonNode json) {
        BsonDocument projection = parsed(json, "projection");
        projection.forEach((field, wish) -> {
            if (field.startsWith("$")) {
                throw notTaken(field, "projection");
            }
            checkName(field, "projection");
            if (wish instanceof BsonDocument shape) {
                shape.forEach((operator, value) -> {
                    if (!PROJECTION.contains(operator)) {
                        throw notTaken(operator, "projection");
                    }
                    if ((operator.equals("$slice") && !isSlice(value))
                            || (operator.equals("$meta") && !value.isString())) {
                        throw invalid("projection takes numbers for $slice and a name for $meta.");
                    }
                    check(value, "projection", 2, operator.equals("$elemMatch") ? FILTER : Set.of());
                });
            } else if (!wish.isNumber() && !wish.isBoolean()) {
                // Anything else is an expression, which the server computes.
                throw invalid("projection takes 0, 1, $slice, $elemMatch and $meta.");
            }
        });
        return projection;
    }

    /** One number, or two; anything else is an expression, which the server computes. */
    private static boolean isSlice(BsonValue value) {
        return value.isNumber()
                || (value.isArray()
                        && value.asArray().size() == 2
                        && value.asArray().stream().allMatch(BsonValue::isNumber));
    }

    static BsonDocument sort(JsonNode json) {
        BsonDocument sort = parsed(json, "sort");
        sort.forEach((field, order) -> {
            boolean plain = order.isNumber() && Math.abs(order.asNumber().doubleValue()) == 1;
            boolean score = order.equals(new BsonDocument("$meta", new BsonString("textScore")));
            if (field.startsWith("$") || !(plain || score)) {
                throw invalid("sort takes 1 and -1 for a field.");
            }
            checkName(field, "sort");
        });
        return sort;
    }

    /** One to be kept: its values are values, whatever they look like. */
    static BsonDocument document(JsonNode json) {
        BsonDocument document = parsed(json, "documents");
        check(document, "documents", 0, Set.of());
        return document;
    }

    /** As relaxed Extended JSON v2. */
    static String json(BsonDocument document) {
        return document.toJson(RELAXED);
    }

    private static BsonDocument parsed(JsonNode json, String where) {
        if (!json.isObject()) {
            return new BsonDocument();
        }
        if (hasLongDecimal(json)) {
            throw invalid("A $numberDecimal in " + where + " has more than " + DECIMAL_CHARS_MAX + " characters.");
        }
        try {
            return BsonDocument.parse(json.toString());
        } catch (RuntimeException e) {
            // Whatever it throws is about the caller's text; and says it in words that name classes.
            throw invalid(where + " is not Extended JSON (v2).");
        }
    }

    /** The time that it takes to read one grows with the square of its digits. */
    private static boolean hasLongDecimal(JsonNode json) {
        return json.path("$numberDecimal").asText().length() > DECIMAL_CHARS_MAX
                || json.valueStream().anyMatch(MongoQueries::hasLongDecimal);
    }

    private static void check(BsonValue value, String where, int depth, Set<String> operators) {
        if (depth > DEPTH_MAX) {
            throw invalid(where + " is deeper than " + DEPTH_MAX + ".");
        }
        if (value.getBsonType() == BsonType.JAVASCRIPT || value.getBsonType() == BsonType.JAVASCRIPT_WITH_SCOPE) {
            throw notTaken("$code", where);
        }
        if (value instanceof BsonRegularExpression regex) {
            checkName(regex.getPattern() + regex.getOptions(), where);
        }
        if (value instanceof BsonDocument document) {
            document.forEach((name, inner) -> {
                checkName(name, where);
                if (name.startsWith("$") && !operators.contains(name)) {
                    throw notTaken(name, where);
                }
                check(inner, where, depth + 1, operators);
            });
        } else if (value.isArray()) {
            value.asArray().forEach(inner -> check(inner, where, depth + 1, operators));
        }
    }

    /** Names and patterns end with a NUL on their way, and so can hold none. */
    private static void checkName(String name, String where) {
        if (name.indexOf('\0') >= 0) {
            throw invalid("A name or a pattern in " + where + " holds a NUL.");
        }
    }

    private static RequestRefused notTaken(String operator, String where) {
        String shown = operator.length() > 40 ? operator.substring(0, 40) + "…" : operator;
        return new RequestRefused("not_allowed", 403, "There is no " + shown + " in " + where + " here.");
    }

    private static RequestRefused invalid(String message) {
        return new RequestRefused("invalid_params", 400, message);
    }
}
