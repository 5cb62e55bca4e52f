package io.aiel.plane.audit;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.erdtman.jcs.NumberToJSON;
import org.jspecify.annotations.Nullable;

/**
 * Writes RFC 8785 canonical JSON as it goes, so that a record needs no second pass that reads, sorts and writes it again. The caller
 * gives the members of an object in their canonical order, which is checked: {@link IllegalStateException} is a bug of the caller.
 * Has one owner; not thread-safe.
 */
final class CanonicalJson {
    private static final int DEPTH_MAX = 8;
    private static final long EXACT_MAX = 1L << 53;
    private static final String HEX = "0123456789abcdef";

    private final StringBuilder out;

    // The name written last in each object that is open.
    private final @Nullable String[] names = new @Nullable String[DEPTH_MAX];
    private int depth;

    CanonicalJson(int charactersExpected) {
        this.out = new StringBuilder(charactersExpected);
    }

    CanonicalJson beginObject() {
        out.append('{');
        names[depth++] = null;
        return this;
    }

    CanonicalJson endObject() {
        out.append('}');
        depth--;
        return this;
    }

    CanonicalJson beginArray() {
        out.append('[');
        return this;
    }

    CanonicalJson endArray() {
        out.append(']');
        return this;
    }

    /** Begins a member; its value comes next. */
    CanonicalJson name(String name) {
        String before = names[depth - 1];
        if (before != null) {
            // RFC 8785 3.2.3: by UTF-16 code units, as Java compares.
            if (before.compareTo(name) >= 0) {
                throw new IllegalStateException(name + " is written after " + before);
            }
            out.append(',');
        }
        names[depth - 1] = name;
        quote(out, name);
        out.append(':');
        return this;
    }

    CanonicalJson member(String name, String text) {
        name(name);
        quote(out, text);
        return this;
    }

    CanonicalJson member(String name, boolean value) {
        name(name);
        out.append(value);
        return this;
    }

    CanonicalJson member(String name, long number) {
        name(name);
        number(out, number);
        return this;
    }

    /** A member whose value is canonical JSON already. */
    CanonicalJson memberJson(String name, String canonical) {
        name(name);
        out.append(canonical);
        return this;
    }

    /** The next element of the array that is open. */
    CanonicalJson element(String text) {
        if (out.charAt(out.length() - 1) != '[') {
            out.append(',');
        }
        quote(out, text);
        return this;
    }

    /** All that was written. */
    @Override
    public String toString() {
        return out.toString();
    }

    /** Appends the text as a string, RFC 8785 3.2.2.2. */
    static void quote(StringBuilder out, String text) {
        out.append('"');
        int written = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < 0x20 || c == '"' || c == '\\') {
                out.append(text, written, i);
                escape(out, c);
                written = i + 1;
            }
        }
        out.append(text, written, text.length()).append('"');
    }

    private static void escape(StringBuilder out, char c) {
        switch (c) {
            case '"', '\\' -> out.append('\\').append(c);
            case '\b' -> out.append("\\b");
            case '\t' -> out.append("\\t");
            case '\n' -> out.append("\\n");
            case '\f' -> out.append("\\f");
            case '\r' -> out.append("\\r");
            default -> out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
        }
    }

    /** Appends the number, RFC 8785 3.2.2.3: what a double does not hold exactly is written as the double next to it. */
    private static void number(StringBuilder out, long number) {
        if (number >= -EXACT_MAX && number <= EXACT_MAX) {
            out.append(number);
        } else {
            out.append(number((double) number));
        }
    }

    /** A finite number as RFC 8785 3.2.2.3 writes it. */
    static String number(double number) {
        try {
            return NumberToJSON.serializeNumber(number);
        } catch (IOException e) {
            throw new UncheckedIOException("only NaN and infinities have no JSON form", e);
        }
    }
}
