package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.InvalidId;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Pages of lists whose rows have time-ordered ids: the cursor is the id of the last row shown. */
final class Pages {
    private static final int LIMIT = 50;
    private static final int LIMIT_MAX = 200;

    private Pages() {}

    static int limit(@Nullable Integer asked) {
        if (asked == null) {
            return LIMIT;
        }
        if (asked < 1 || asked > LIMIT_MAX) {
            throw Refusal.invalid("query:limit", "a number from 1 to " + LIMIT_MAX);
        }
        return asked;
    }

    static Optional<String> cursor(String prefix, @Nullable String sent) {
        try {
            return Optional.ofNullable(sent).map(text -> Ids.check(prefix, text));
        } catch (InvalidId e) {
            throw Refusal.invalid("query:cursor", "not a cursor of this list; take next_cursor of the page before");
        }
    }

    /** The cursor of the next page, when one row more than the page was found. */
    static <T> Optional<String> next(List<T> found, int size, Function<T, String> id) {
        return found.size() > size ? Optional.of(id.apply(found.get(size - 1))) : Optional.empty();
    }
}
