package io.aiel.plane.registry.files;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Where a file lies in a project: a relative POSIX path in Unicode normal form C. A value that exists is safe to append to a
 * directory. Ordered as Python orders {@code pathlib} paths: part by part, by code points.
 */
public final class FilePath implements Comparable<FilePath> {
    /**
     * How long paths may be.
     *
     * @param pathBytesMax the whole path, UTF-8 bytes
     * @param segmentsMax how many names between slashes
     * @param segmentBytesMax one name, UTF-8 bytes
     */
    public record Limits(int pathBytesMax, int segmentsMax, int segmentBytesMax) {
        /** What file systems bear. */
        public static final Limits DEFAULT = new Limits(512, 32, 255);
    }

    /**
     * Names that mean something to a tool on the developer's machine, at any depth, in any case. A pulled {@code .git} could run
     * hooks there; {@code __pycache__} could hold bytecode that differs from the source that was looked at; the others belong to
     * one machine. The published client leaves all but {@code .git} out by itself.
     */
    private static final Set<String> RESERVED = Set.of(".git", "git~1", ".aiel", ".venv", "__pycache__");

    /**
     * Devices on Windows, whatever follows the first dot: whoever writes the file {@code aux.py} there writes to a device. (The
     * superscript digits count there as digits.)
     */
    private static final Pattern DEVICE =
            Pattern.compile("con|prn|aux|nul|conin\\$|conout\\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]");

    /** What Windows takes for a drive, a second stream of a file ({@code .git::$INDEX_ALLOCATION}), a wildcard or a pipe. */
    private static final String NOT_ON_WINDOWS = "<>:\"|?*";

    private final String value;
    private final List<String> segments;

    private FilePath(String value, List<String> segments) {
        this.value = value;
        this.segments = List.copyOf(segments);
    }

    /** Reads a path with the default limits. */
    public static FilePath parse(String text) {
        return parse(text, Limits.DEFAULT);
    }

    /** Reads a path; throws {@link InvalidPath} with what is wrong. Nothing is repaired: what is stored is what was sent. */
    public static FilePath parse(String text, Limits limits) {
        Objects.requireNonNull(text, "text");
        if (text.isEmpty()) {
            throw new InvalidPath("the path is empty");
        }
        // Length first, so that the other checks work on a bounded text.
        if (text.length() > limits.pathBytesMax()
                || text.getBytes(StandardCharsets.UTF_8).length > limits.pathBytesMax()) {
            throw new InvalidPath("the path is longer than " + limits.pathBytesMax() + " bytes of UTF-8");
        }
        text.codePoints().forEach(FilePath::checkCharacter);
        if (text.startsWith("/")) {
            throw new InvalidPath("the path is absolute; it must be relative to the project's root");
        }
        if (!Normalizer.isNormalized(text, Normalizer.Form.NFC)) {
            throw new InvalidPath("the path is not in Unicode normal form C; rename the file");
        }
        List<String> segments = split(text);
        if (segments.size() > limits.segmentsMax()) {
            throw new InvalidPath("the path has more than " + limits.segmentsMax() + " parts");
        }
        for (String segment : segments) {
            checkSegment(segment, limits);
        }
        return new FilePath(text, segments);
    }

    private static List<String> split(String text) {
        List<String> segments = new ArrayList<>();
        int start = 0;
        while (true) {
            int slash = text.indexOf('/', start);
            if (slash < 0) {
                segments.add(text.substring(start));
                return segments;
            }
            segments.add(text.substring(start, slash));
            start = slash + 1;
        }
    }

    private static void checkCharacter(int character) {
        if (character == '\\') {
            throw new InvalidPath("the path has a backslash; parts are separated by /");
        }
        if (NOT_ON_WINDOWS.indexOf(character) >= 0) {
            throw new InvalidPath("the path has the character " + Character.toString(character)
                    + ", which names on Windows cannot have; rename the file");
        }
        if (invisible(character)) {
            throw new InvalidPath(
                    "the path has the character U+%04X, which cannot be seen; rename the file".formatted(character));
        }
        switch (Character.getType(character)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                throw new InvalidPath(
                        "the path has the character U+%04X, which is a control character, invisible or none"
                                .formatted(character));
            default -> {}
        }
    }

    /** Letters and marks that show nothing, so that two different names look the same; the format characters are checked apart. */
    private static boolean invisible(int character) {
        return character == 0x034f
                || (character >= 0x115f && character <= 0x1160)
                || (character >= 0x17b4 && character <= 0x17b5)
                || (character >= 0x180b && character <= 0x180f)
                || character == 0x3164
                || character == 0xffa0
                || (character >= 0xe0100 && character <= 0xe01ef);
    }

    private static void checkSegment(String segment, Limits limits) {
        if (segment.isEmpty()) {
            throw new InvalidPath("the path has an empty part (// or a / at its end)");
        }
        if (segment.equals(".") || segment.equals("..")) {
            throw new InvalidPath("the path has the part " + segment);
        }
        if (segment.getBytes(StandardCharsets.UTF_8).length > limits.segmentBytesMax()) {
            throw new InvalidPath("the path has a part longer than " + limits.segmentBytesMax() + " bytes of UTF-8");
        }
        if (RESERVED.contains(fold(segment))) {
            throw new InvalidPath("the path has the part " + segment + ", which is reserved; leave it out by a line "
                    + segment + "/ in .aielignore");
        }
        if (segment.endsWith(".") || segment.endsWith(" ") || segment.startsWith(" ")) {
            throw new InvalidPath(
                    "the path has a part that begins with a space or ends with a space or a dot, which some"
                            + " systems leave away; rename the file");
        }
        if (DEVICE.matcher(stem(segment)).matches()) {
            throw new InvalidPath(
                    "the path has the part " + segment + ", which names a device on Windows; rename the file");
        }
    }

    /** What stands before the first dot, without letter case and spaces at its end, as Windows looks for devices. */
    private static String stem(String segment) {
        int dot = segment.indexOf('.');
        return fold(dot < 0 ? segment : segment.substring(0, dot)).stripTrailing();
    }

    /** The same for texts that differ in letter case alone. */
    public static String fold(String text) {
        // Up and down again: some letters have two lower-case forms (the Greek sigma) and one upper-case form. And once
        // more: the capital sharp s goes down to ß, and only ß goes up to SS.
        String once = text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
        return Normalizer.normalize(once.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT), Normalizer.Form.NFC);
    }

    /** The path without letter case; files of a project differ in it. */
    public String folded() {
        return fold(value);
    }

    /** The directories above the file, outermost first, without a slash at the end; empty for a file at the root. */
    public List<String> directories() {
        List<String> directories = new ArrayList<>();
        for (int depth = 1; depth < segments.size(); depth++) {
            directories.add(String.join("/", segments.subList(0, depth)));
        }
        return directories;
    }

    @Override
    public int compareTo(FilePath other) {
        int shared = Math.min(segments.size(), other.segments.size());
        for (int i = 0; i < shared; i++) {
            // UTF-8 sorts as code points do; Java's own order of texts is that of UTF-16 and differs beyond U+FFFF.
            int order = Arrays.compareUnsigned(
                    segments.get(i).getBytes(StandardCharsets.UTF_8),
                    other.segments.get(i).getBytes(StandardCharsets.UTF_8));
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(segments.size(), other.segments.size());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FilePath path && path.value.equals(value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }

    /** The path as it was read. */
    @Override
    public String toString() {
        return value;
    }
}
