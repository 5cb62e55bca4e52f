package io.aiel.plane.gateway.memory;

import java.util.List;

/**
 * Where recall items are: 1 to 16 names, from the outside in; none is what all are in. As one text each name has a mark behind it, so that the path of what is inside begins
 * with the path of what it is in, and {@code ["user", "1"]} is not in {@code ["use"]}.
 */
record Namespace(List<String> names) {
    private static final char END = '\u001f';
    private static final char AFTER_END = ' ';
    private static final char ESCAPE = '\u001e';
    /** As in the column {@code path_start}. */
    private static final int START_CHARACTERS = 200;

    private static final String GREATEST = new String(Character.toChars(Character.MAX_CODE_POINT));

    Namespace {
        names = List.copyOf(names);
    }

    String path() {
        StringBuilder path = new StringBuilder();
        for (String name : names) {
            for (int i = 0; i < name.length(); i++) {
                char c = name.charAt(i);
                switch (c) {
                    case END -> path.append(ESCAPE).append('e');
                    case ESCAPE -> path.append(ESCAPE).append('s');
                    default -> path.append(c);
                }
            }
            path.append(END);
        }
        return path.toString();
    }

    /** The least {@code path_start} of what is here or inside. */
    String least() {
        String path = path();
        return isShort(path) ? path : path.substring(0, path.offsetByCodePoints(0, START_CHARACTERS));
    }

    /** What is greater than each {@code path_start} of what is here or inside, compared by bytes. */
    String beyond() {
        String path = path();
        if (path.isEmpty()) {
            return GREATEST;
        }
        return isShort(path) ? path.substring(0, path.length() - 1) + AFTER_END : least() + GREATEST;
    }

    private static boolean isShort(String path) {
        return path.codePointCount(0, path.length()) <= START_CHARACTERS;
    }
}
