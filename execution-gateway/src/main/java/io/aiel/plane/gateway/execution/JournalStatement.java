package io.aiel.plane.gateway.execution;

import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A statement of several parts that PostgreSQL runs together or not at all, without BEGIN and COMMIT: it costs one round trip, however
 * many tables it writes. Only the parts that are needed are in its text, so that there are few texts, and each connection prepares
 * those that it meets. Not thread-safe.
 *
 * <p>All parts see the database as it was before the statement: none sees what another writes, apart from what that returns, and of two
 * parts that change the same row one has no effect and does not return it.
 */
final class JournalStatement {
    private final StringJoiner parts = new StringJoiner(",\n", "with ", "\n");
    private final Tuple parameters = Tuple.tuple();

    /** Adds a part under a name that later parts can select what it returns from. */
    void part(String name, String sql) {
        parts.add(name + " as (" + sql + ")");
    }

    /** Adds parameters that were numbered by {@link #nextParameter}. */
    void parameters(List<Object> more) {
        more.forEach(parameters::addValue);
    }

    int nextParameter() {
        return parameters.size() + 1;
    }

    Tuple parameters() {
        return parameters;
    }

    /** The whole text, which ends in this query. */
    String sql(String query) {
        return parts + query;
    }

    /** Rows that go along as one array for each column. */
    <T> Rows<T> rows(List<T> rows) {
        return new Rows<>(rows);
    }

    /** PostgreSQL's text cannot hold NUL; a name or a log line that has one must not cost the execution its record. */
    static String storable(String text) {
        return text.indexOf('\0') < 0 ? text : text.replace('\0', '\uFFFD');
    }

    /** Turns rows into the arrays that {@code unnest} takes. */
    final class Rows<T> {
        private final List<T> rows;
        private final StringJoiner arrays = new StringJoiner(", ", "unnest(", ")");
        private final StringJoiner names = new StringJoiner(", ", "(", ")");

        private Rows(List<T> rows) {
            this.rows = rows;
        }

        Rows<T> text(String name, Function<T, @Nullable String> value) {
            column(name, "text");
            @Nullable String[] column = new @Nullable String[rows.size()];
            for (int i = 0; i < column.length; i++) {
                String text = value.apply(rows.get(i));
                column[i] = text == null ? null : storable(text);
            }
            parameters.addArrayOfString(column);
            return this;
        }

        Rows<T> integers(String name, Function<T, @Nullable Integer> value) {
            column(name, "int");
            parameters.addArrayOfInteger(rows.stream().map(value).toArray(Integer[]::new));
            return this;
        }

        Rows<T> longs(String name, Function<T, Long> value) {
            column(name, "bigint");
            parameters.addArrayOfLong(rows.stream().map(value).toArray(Long[]::new));
            return this;
        }

        Rows<T> times(String name, Function<T, @Nullable Instant> value) {
            column(name, "timestamptz");
            parameters.addArrayOfOffsetDateTime(rows.stream()
                    .map(value)
                    .map(time -> time == null ? null : time.atOffset(ZoneOffset.UTC))
                    .toArray(OffsetDateTime[]::new));
            return this;
        }

        private void column(String name, String type) {
            names.add(name);
            arrays.add("$" + nextParameter() + "::" + type + "[]");
        }

        /** What a part selects from; the columns have their names. */
        String as(String alias) {
            return arrays + " as " + alias + names;
        }

        /** What inserts those rows, known as {@code v}, for which the condition holds, into a table with columns of these names. */
        String insertInto(String table, String condition) {
            return "insert into " + table + " " + names + " select * from " + as("v") + " where " + condition;
        }

        /** What inserts the rows as they are into a table with columns of these names. */
        String insertInto(String table) {
            return insertInto(table, "true");
        }
    }
}
