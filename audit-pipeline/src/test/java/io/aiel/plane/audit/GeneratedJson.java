package io.aiel.plane.audit;

import java.util.Random;

/** Texts and documents by chance, from one seed the same; what an encoder could get wrong comes often. */
final class GeneratedJson {
    private static final String SPECIAL = "\"\\/\b\t\n\f\r\u007f\u2028\ufb33\u20ac\ud83d\ude00\ufffd";
    private static final String BREAKING = "{}[]\",:0e-.tf \ufeff";

    private final Random random;

    GeneratedJson(long seed) {
        random = new Random(seed);
    }

    /** Any UTF-16 at all, halves of pairs included. */
    String text() {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i > 0; i--) {
            switch (random.nextInt(6)) {
                case 0 -> text.append((char) random.nextInt(0x20));
                case 1 -> text.append((char) random.nextInt(0x10000));
                case 2 -> text.appendCodePoint(0x10000 + random.nextInt(0x100000));
                case 3 -> text.append(SPECIAL.charAt(random.nextInt(SPECIAL.length())));
                default -> text.append((char) ('a' + random.nextInt(26)));
            }
        }
        return text.toString();
    }

    /** Small, large, and around the edges of what a double holds. */
    long number() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextInt();
            case 2 -> (random.nextBoolean() ? 1 : -1) * ((1L << 53) + random.nextInt(5) - 2);
            default -> random.nextInt(1000);
        };
    }

    /** An object or array, now and then broken. */
    String document() {
        String document = random.nextBoolean() ? object(3) : array(3);
        if (random.nextInt(10) == 0) {
            int at = random.nextInt(document.length());
            document = document.substring(0, at)
                    + BREAKING.charAt(random.nextInt(BREAKING.length()))
                    + document.substring(at + random.nextInt(2));
        }
        return document;
    }

    private String value(int depth) {
        return switch (random.nextInt(depth == 0 ? 6 : 8)) {
            case 0, 1 -> string();
            case 2 -> String.valueOf(number());
            case 3 -> fraction();
            case 4 -> random.nextBoolean() ? "null" : String.valueOf(random.nextBoolean());
            case 5 -> random.nextBoolean() ? "{ }" : "[]";
            case 6 -> array(depth - 1);
            default -> object(depth - 1);
        };
    }

    private String fraction() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextInt(100) + "e" + (random.nextInt(40) - 20);
            case 1 -> random.nextBoolean() ? "-0" : "-0.0";
            case 2 -> String.valueOf(random.nextInt() / 1024.0);
            default -> random.nextInt(100) + "." + random.nextInt(100_000) + "0";
        };
    }

    private String array(int depth) {
        StringBuilder json = new StringBuilder("[");
        for (int i = random.nextInt(4); i > 0; i--) {
            json.append(value(depth)).append(i > 1 ? "," : "\n");
        }
        return json.append(']').toString();
    }

    private String object(int depth) {
        StringBuilder json = new StringBuilder("{");
        for (int i = random.nextInt(6); i > 0; i--) {
            json.append(string()).append(':').append(value(depth)).append(i > 1 ? ", " : " ");
        }
        return json.append('}').toString();
    }

    private String string() {
        StringBuilder json = new StringBuilder("\"");
        // What no record holds comes seldom here, as a document with it is kept as text.
        String text = random.nextInt(20) == 0 ? text() : text().replaceAll("[\\p{Cs}\\x7f-\\x9f\u2000-\uffff]", "é");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < 0x20 || random.nextInt(10) == 0) {
                json.append(String.format(random.nextBoolean() ? "\\u%04x" : "\\u%04X", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }

    /** The bytes with some of them replaced. */
    byte[] damaged(byte[] bytes) {
        byte[] damaged = bytes.clone();
        for (int i = random.nextInt(3); i >= 0; i--) {
            int at = random.nextInt(damaged.length);
            damaged[at] = random.nextBoolean()
                    ? (byte) random.nextInt(256)
                    : (byte) BREAKING.charAt(random.nextInt(BREAKING.length() - 1));
        }
        return damaged;
    }
}
