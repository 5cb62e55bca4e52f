package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.InvalidId;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Pages of lists whose rows have time-ordered ids: the cursor is the id of the last row shown. */
public final class Pages {
    private static final int LIMIT = 50;
    private static final int LIMIT_MAX = 200;
    private static final Pattern WHOLE = Pattern.compile("[0-9]{1,18}");

    private Pages() {}

    /** How many rows a page is to have; throws the {@link Refusal} that names the query parameter. */
    public static int limit(@Nullable String asked) {
        return (int) number("limit", asked, LIMIT, 1, LIMIT_MAX);
    }

    /**
     * A whole number of the query. Taken as text, because the framework answers a number that is none with 404, as if the path were
     * unknown.
     */
    static long number(String name, @Nullable String asked, long usual, long least, long most) {
        return asked == null ? usual : number("query:" + name, asked, least, most);
    }

    /** @param pointer where it was said, as a {@link Refusal#invalid} names it */
    static long number(String pointer, String asked, long least, long most) {
        if (WHOLE.matcher(asked).matches()) {
            long number = Long.parseLong(asked);
            if (number >= least && number <= most) {
                return number;
            }
        }
        throw Refusal.invalid(pointer, "must be a whole number from " + least + " to " + most);
    }

    /** After which id the page begins; throws the {@link Refusal} that names the query parameter. */
    public static Optional<String> cursor(String prefix, @Nullable String sent) {
        try {
            return Optional.ofNullable(sent).map(text -> Ids.check(prefix, text));
        } catch (InvalidId e) {
            throw Refusal.invalid("query:cursor", "not a cursor of this list; take next_cursor of the page before");
        }
    }

    /** The cursor of the next page, when one row more than the page was found. */
    public static <T> Optional<String> next(List<T> found, int size, Function<T, String> id) {
        return found.size() > size ? Optional.of(id.apply(found.get(size - 1))) : Optional.empty();
    }

    /** A page of rows that have ids, when one row more than the page was found. */
    public static JsonObject of(String name, List<JsonObject> found, int size) {
        return new JsonObject()
                .put(name, new JsonArray(found.subList(0, Math.min(size, found.size()))))
                .put(
                        "next_cursor",
                        next(found, size, row -> row.getString("id")).orElse(null));
    }
}
