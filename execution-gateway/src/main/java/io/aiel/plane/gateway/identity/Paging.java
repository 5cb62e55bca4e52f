package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which page of a list is wanted.
 *
 * @param limit 1 to 500 rows
 * @param cursor the id after which the page begins; empty text for the first
 */
record Paging(int limit, String cursor) {
    private static final int DEFAULT = 100;
    private static final int MAX = 500;
    private static final Pattern CURSOR = Pattern.compile("[a-z]{1,8}_[0-9a-f]{32}");

    /** Reads the query parameters; as texts, so that a wrong one is answered as wrong and not as an unknown path. */
    static Paging of(@Nullable String limit, @Nullable String cursor) {
        int rows = DEFAULT;
        if (limit != null) {
            rows = limit.matches("[0-9]{1,4}") ? Integer.parseInt(limit) : 0;
            if (rows < 1 || rows > MAX) {
                throw Refusal.invalid("query:limit", "must be 1 to " + MAX);
            }
        }
        if (cursor != null && !CURSOR.matcher(cursor).matches()) {
            throw Refusal.invalid("query:cursor", "is not the next_cursor of an earlier page");
        }
        return new Paging(rows, cursor == null ? "" : cursor);
    }

    /** The page out of rows that were read with one more than the limit. */
    <R, T> Views.Page<T> page(List<R> rows, Function<R, String> id, Function<R, T> view) {
        List<R> shown = rows.size() > limit ? rows.subList(0, limit) : rows;
        return new Views.Page<>(
                shown.stream().map(view).toList(), rows.size() > limit ? id.apply(shown.getLast()) : null);
    }
}
