package io.aiel.plane.registry.files;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Paths of files: whatever is accepted stays below the folder that it is appended to, and is one name on every system. */
public final class FilePathFuzz {
    private static final Path ROOT = Path.of("/project");

    private FilePathFuzz() {}

    /** One input of the fuzzer; UTF-16 too, since halves of surrogate pairs have no UTF-8. */
    public static void fuzzerTestOneInput(byte[] input) {
        boolean wide = input.length > 2 && input[0] == (byte) 0xfe && input[1] == (byte) 0xff;
        String text = wide
                ? ByteBuffer.wrap(input, 2, (input.length - 2) & ~1)
                        .asCharBuffer()
                        .toString()
                : new String(input, StandardCharsets.UTF_8);
        @Nullable FilePath path = parse(text);
        if (path == null) {
            return;
        }
        require(path.toString().equals(text), "a path is kept as it was sent");
        require(path.equals(FilePath.parse(path.toString())), "what was printed reads as the same");
        Path resolved = ROOT.resolve(text);
        require(
                resolved.normalize().equals(resolved) && resolved.startsWith(ROOT) && !resolved.equals(ROOT),
                "it stays below its folder and means the same when normalised");
        require(Normalizer.isNormalized(text, Normalizer.Form.NFC), "normal form C");
        require(text.getBytes(StandardCharsets.UTF_8).length <= 512, "at most 512 bytes");
        for (String segment : text.split("/", -1)) {
            require(!segment.isBlank() && !segment.endsWith(".") && !segment.endsWith(" "), "names with an end");
            require(!segment.toLowerCase(Locale.ROOT).startsWith("nul."), "no devices");
            require(!segment.equalsIgnoreCase(".git") && !segment.equalsIgnoreCase("__pycache__"), "nothing reserved");
        }
        require(
                text.codePoints().noneMatch(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT),
                "nothing that moves a cursor or hides");
        String folded = path.folded();
        require(FilePath.fold(folded).equals(folded), "folding twice is folding once");
        require(FilePath.fold(text.toUpperCase(Locale.ROOT)).equals(folded), "letter case does not count");
        List<String> above = path.directories();
        for (String directory : above) {
            // Clashes are looked for by this prefix.
            require(folded.startsWith(FilePath.fold(directory) + "/"), "a folder folds as it does within the path");
        }
    }

    private static @Nullable FilePath parse(String text) {
        try {
            return FilePath.parse(text);
        } catch (InvalidPath refused) {
            return null;
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
