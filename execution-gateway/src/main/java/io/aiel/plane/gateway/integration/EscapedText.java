package io.aiel.plane.gateway.integration;

import java.util.Map;

/**
 * A text whose escapes are undone layer by layer: those of JSON's strings, of HTML (by number, and by name those of ASCII) and of
 * percent-encoding, and where in the first text each character came from. It works in place, so that it never takes more than six bytes for a
 * character of the first text, and each layer is one pass. What is no escape stays as it is. For one thread.
 */
final class EscapedText {
    private static final int ENTITY_MAX = 12;

    private static final Map<String, Character> NAMES = Map.ofEntries(
            Map.entry("amp", '&'),
            Map.entry("AMP", '&'),
            Map.entry("lt", '<'),
            Map.entry("LT", '<'),
            Map.entry("gt", '>'),
            Map.entry("GT", '>'),
            Map.entry("quot", '"'),
            Map.entry("QUOT", '"'),
            Map.entry("apos", '\''),
            Map.entry("Tab", '\t'),
            Map.entry("NewLine", '\n'),
            Map.entry("excl", '!'),
            Map.entry("num", '#'),
            Map.entry("dollar", '$'),
            Map.entry("percnt", '%'),
            Map.entry("lpar", '('),
            Map.entry("rpar", ')'),
            Map.entry("ast", '*'),
            Map.entry("plus", '+'),
            Map.entry("comma", ','),
            Map.entry("period", '.'),
            Map.entry("sol", '/'),
            Map.entry("colon", ':'),
            Map.entry("semi", ';'),
            Map.entry("equals", '='),
            Map.entry("quest", '?'),
            Map.entry("commat", '@'),
            Map.entry("lsqb", '['),
            Map.entry("lbrack", '['),
            Map.entry("bsol", '\\'),
            Map.entry("rsqb", ']'),
            Map.entry("rbrack", ']'),
            Map.entry("Hat", '^'),
            Map.entry("lowbar", '_'),
            Map.entry("grave", '`'),
            Map.entry("lcub", '{'),
            Map.entry("lbrace", '{'),
            Map.entry("vert", '|'),
            Map.entry("verbar", '|'),
            Map.entry("rcub", '}'),
            Map.entry("rbrace", '}'));

    private final char[] characters;
    private int length;

    /** Of each character, and of the end; none while nothing was undone. */
    private int[] origins = {};

    /** What the last escape stood for. */
    private int meant;

    EscapedText(String text) {
        this.characters = text.toCharArray();
        this.length = characters.length;
    }

    int length() {
        return length;
    }

    char at(int index) {
        return characters[index];
    }

    /** Where in the first text the character came from; of the length, the end of the first text. */
    int origin(int index) {
        return origins.length == 0 ? index : origins[index];
    }

    String text() {
        return new String(characters, 0, length);
    }

    /** Undoes one layer; false when there was none. */
    boolean unescape() {
        int from = 0;
        while (from < length && escape(from) == 0) {
            from++;
        }
        if (from == length) {
            return false;
        }
        if (origins.length == 0) {
            origins = new int[length + 1];
            for (int i = 0; i <= length; i++) {
                origins[i] = i;
            }
        }
        // No escape is shorter than what it stands for, so what is written never overtakes what is read.
        int to = from;
        while (from < length) {
            int taken = escape(from);
            int origin = origins[from];
            if (taken == 0) {
                put(to++, characters[from++], origin);
            } else {
                from += taken;
                if (Character.isBmpCodePoint(meant)) {
                    put(to++, (char) meant, origin);
                } else {
                    put(to++, Character.highSurrogate(meant), origin);
                    put(to++, Character.lowSurrogate(meant), origin);
                }
            }
        }
        origins[to] = origins[length];
        length = to;
        return true;
    }

    private void put(int index, char character, int origin) {
        characters[index] = character;
        origins[index] = origin;
    }

    /** How many characters the escape has that begins here; 0 when none does. */
    private int escape(int at) {
        return switch (characters[at]) {
            case '\\' -> json(at);
            case '&' -> html(at);
            case '%' -> percent(at);
            default -> 0;
        };
    }

    private int json(int at) {
        if (at + 1 >= length) {
            return 0;
        }
        char kind = characters[at + 1];
        if (kind == 'u') {
            meant = at + 6 <= length ? number(at + 2, at + 6, 16) : -1;
            return meant < 0 ? 0 : 6;
        }
        meant = switch (kind) {
            case '"', '\\', '/', '\'' -> kind;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            default -> -1;
        };
        return meant < 0 ? 0 : 2;
    }

    private int html(int at) {
        int end = at + 1;
        int limit = Math.min(length, at + 1 + ENTITY_MAX);
        while (end < limit && characters[end] != ';') {
            end++;
        }
        if (end == limit || end < at + 3) {
            return 0;
        }
        if (characters[at + 1] == '#') {
            boolean hex = characters[at + 2] == 'x' || characters[at + 2] == 'X';
            meant = hex ? number(at + 3, end, 16) : number(at + 2, end, 10);
            boolean none = meant <= 0 || !Character.isValidCodePoint(meant) || surrogate(meant);
            return none ? 0 : end + 1 - at;
        }
        Character named = NAMES.get(new String(characters, at + 1, end - at - 1));
        if (named == null) {
            return 0;
        }
        meant = named;
        return end + 1 - at;
    }

    /** One character of UTF-8. */
    private int percent(int at) {
        int first = octet(at);
        int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : -1;
        if (first < 0 || more < 0) {
            return 0;
        }
        int point = more == 0 ? first : first & (0x3F >> more);
        for (int i = 1; i <= more; i++) {
            int next = octet(at + 3 * i);
            if (next < 0x80 || next > 0xBF) {
                return 0;
            }
            point = (point << 6) | (next & 0x3F);
        }
        boolean none = (more == 2 && (point < 0x800 || surrogate(point)))
                || (more == 3 && (point < 0x10000 || !Character.isValidCodePoint(point)));
        meant = point;
        return none ? 0 : 3 * (more + 1);
    }

    private int octet(int at) {
        return at + 3 <= length && characters[at] == '%' ? number(at + 1, at + 3, 16) : -1;
    }

    private static boolean surrogate(int point) {
        return point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
    }

    /** The number in these digits of ASCII; -1 when it is none, or none of a character. */
    private int number(int from, int to, int radix) {
        int number = from < to ? 0 : -1;
        for (int i = from; i < to && number >= 0; i++) {
            int digit = characters[i] < 0x80 ? Character.digit(characters[i], radix) : -1;
            number = digit < 0 || number > Character.MAX_CODE_POINT ? -1 : number * radix + digit;
        }
        return number;
    }
}
