package io.aiel.plane.gateway.integration;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * A statement whose values are named ({@code :name}), read as PostgreSQL reads it with {@code standard_conforming_strings} on: what stands in strings,
 * quoted names, dollar quotes and comments is text and no more. Whatever could be read in two ways is refused. Values are never put into the text: each
 * name becomes the number of a parameter. Immutable.
 */
final class NamedSql {
    private static final Set<String> READING = Set.of("select", "with", "values", "table");

    private final List<String> texts;
    private final List<Integer> numbers;
    private final List<String> names;

    private NamedSql(List<String> texts, List<Integer> numbers, List<String> names) {
        this.texts = List.copyOf(texts);
        this.numbers = List.copyOf(numbers);
        this.names = List.copyOf(names);
    }

    /** Throws {@link IllegalArgumentException} that says what is wrong, for the caller. */
    static NamedSql parse(String sql) {
        return new Reader(sql).read();
    }

    /** The names that stand in it, each once, in the order of their parameters' numbers. */
    List<String> names() {
        return names;
    }

    /** With {@code $1} for the first name and so on. */
    String numbered() {
        return with(names.stream().map(_ -> "").toList());
    }

    /**
     * With {@code ($1::text)::type} for the first name and so on.
     *
     * @param types one for each name; empty text for none
     */
    String with(List<String> types) {
        StringBuilder sql = new StringBuilder(texts.getFirst());
        for (int i = 0; i < numbers.size(); i++) {
            int number = numbers.get(i);
            String type = types.get(number);
            String parameter = "$" + (number + 1);
            // Blanks, so that it does not grow together with what stands beside it.
            sql.append(type.isEmpty() ? " " + parameter + " " : " (" + parameter + "::text)::" + type + " ")
                    .append(texts.get(i + 1));
        }
        return sql.toString();
    }

    private static final class Reader {
        private final String sql;
        private final List<String> texts = new ArrayList<>();
        private final List<Integer> numbers = new ArrayList<>();
        private final List<String> names = new ArrayList<>();
        private int at;
        private int textFrom;
        private int depth;
        private boolean ended;
        private String first = "";

        Reader(String sql) {
            this.sql = sql;
        }

        NamedSql read() {
            if (sql.indexOf('\0') >= 0) {
                throw wrong("holds a character that no statement can");
            }
            int end = sql.length();
            while (at < sql.length()) {
                int from = at;
                boolean matters = step();
                if (ended && matters) {
                    throw wrong("holds more than one statement; send one, without a semicolon in it");
                }
                if (!ended && matters && sql.charAt(from) == ';') {
                    ended = true;
                    end = from;
                }
            }
            if (depth != 0) {
                throw wrong("has a bracket that is not closed");
            }
            if (!READING.contains(first)) {
                throw wrong("must be a SELECT, WITH, VALUES or TABLE statement");
            }
            // What comes after the semicolon are blanks and comments; they stay away.
            texts.add(sql.substring(textFrom, Math.max(textFrom, end)));
            return new NamedSql(texts, numbers, names);
        }

        /** Goes past one token; false when it was a blank or a comment. */
        private boolean step() {
            char c = sql.charAt(at);
            if (isBlank(c)) {
                at++;
                return false;
            }
            if (sql.startsWith("--", at)) {
                lineComment();
                return false;
            }
            if (sql.startsWith("/*", at)) {
                blockComment();
                return false;
            }
            if (c == '\'') {
                quoted('\'', false);
            } else if (c == '"') {
                quoted('"', false);
            } else if (c == '$') {
                dollar();
            } else if (isNameStart(c)) {
                word();
            } else if (c >= '0' && c <= '9') {
                number();
            } else if (c == ':') {
                colon();
            } else {
                bracket(c);
                at++;
            }
            return true;
        }

        private void bracket(char c) {
            if (c == '(' || c == '[') {
                depth++;
            } else if (c == ')' || c == ']') {
                depth--;
                if (depth < 0) {
                    throw wrong("closes a bracket that is not open");
                }
            }
        }

        private void lineComment() {
            while (at < sql.length() && sql.charAt(at) != '\n' && sql.charAt(at) != '\r') {
                at++;
            }
        }

        /** They can stand in each other. */
        private void blockComment() {
            int open = 0;
            do {
                if (sql.startsWith("/*", at)) {
                    open++;
                    at += 2;
                } else if (sql.startsWith("*/", at)) {
                    open--;
                    at += 2;
                } else {
                    at++;
                }
                if (at >= sql.length() && open > 0) {
                    throw wrong("has a comment that is not closed");
                }
            } while (open > 0);
        }

        /** @param escapes whether a backslash takes the next character along */
        private void quoted(char quote, boolean escapes) {
            at++;
            while (at < sql.length()) {
                char c = sql.charAt(at);
                if (escapes && c == '\\') {
                    at += 2;
                } else if (c != quote) {
                    at++;
                } else if (at + 1 < sql.length() && sql.charAt(at + 1) == quote) {
                    at += 2;
                } else {
                    at++;
                    if (escapes) {
                        refuseContinuation();
                    }
                    return;
                }
            }
            throw wrong("has a quote that is not closed");
        }

        /** A string that begins in the next line would go on with this one's escapes. */
        private void refuseContinuation() {
            int behind = at;
            while (at < sql.length() && (isBlank(sql.charAt(at)) || sql.startsWith("--", at))) {
                if (isBlank(sql.charAt(at))) {
                    at++;
                } else {
                    lineComment();
                }
            }
            if (at < sql.length() && sql.charAt(at) == '\'') {
                throw wrong("has two strings beside each other; join them with ||");
            }
            at = behind;
        }

        private void dollar() {
            int tagEnd = at + 1;
            if (tagEnd < sql.length() && sql.charAt(tagEnd) >= '0' && sql.charAt(tagEnd) <= '9') {
                throw wrong("has a numbered parameter; name it, as in :name");
            }
            while (tagEnd < sql.length() && isNamePart(sql.charAt(tagEnd)) && sql.charAt(tagEnd) != '$') {
                tagEnd++;
            }
            if (tagEnd >= sql.length() || sql.charAt(tagEnd) != '$') {
                throw wrong("has a dollar sign that begins nothing");
            }
            String tag = sql.substring(at, tagEnd + 1);
            int close = sql.indexOf(tag, tagEnd + 1);
            if (close < 0) {
                throw wrong("has a dollar quote that is not closed");
            }
            at = close + tag.length();
        }

        /** With the letters in it: 1e5, 0x1F. What may follow them right away differs between versions of PostgreSQL. */
        private void number() {
            while (at < sql.length() && isNamePart(sql.charAt(at)) && sql.charAt(at) != '$') {
                at++;
            }
            if (at < sql.length() && "'\"$".indexOf(sql.charAt(at)) >= 0) {
                throw wrong("has a number right before a quote");
            }
        }

        private void word() {
            int from = at;
            while (at < sql.length() && isNamePart(sql.charAt(at))) {
                at++;
            }
            String word = sql.substring(from, at).toLowerCase(Locale.ROOT);
            if (word.equals("e") && at < sql.length() && sql.charAt(at) == '\'') {
                quoted('\'', true);
            }
            if (first.isEmpty()) {
                first = word;
            }
        }

        private void colon() {
            if (sql.startsWith("::", at) || sql.startsWith(":=", at)) {
                at += 2;
                return;
            }
            int nameEnd = at + 1;
            if (nameEnd >= sql.length() || !isAsciiNameStart(sql.charAt(nameEnd))) {
                at++;
                return;
            }
            while (nameEnd < sql.length() && isAsciiNamePart(sql.charAt(nameEnd))) {
                nameEnd++;
            }
            String name = sql.substring(at + 1, nameEnd);
            if (!names.contains(name)) {
                names.add(name);
            }
            texts.add(sql.substring(textFrom, at));
            numbers.add(names.indexOf(name));
            at = nameEnd;
            textFrom = nameEnd;
        }

        private static boolean isBlank(char c) {
            return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\u000b';
        }

        private static boolean isAsciiNameStart(char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        }

        private static boolean isAsciiNamePart(char c) {
            return isAsciiNameStart(c) || (c >= '0' && c <= '9');
        }

        private static boolean isNameStart(char c) {
            return isAsciiNameStart(c) || c >= 128;
        }

        private static boolean isNamePart(char c) {
            return isNameStart(c) || (c >= '0' && c <= '9') || c == '$';
        }

        private static IllegalArgumentException wrong(String what) {
            return new IllegalArgumentException("The statement " + what + ".");
        }
    }
}
