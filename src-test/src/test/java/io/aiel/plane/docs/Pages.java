package io.aiel.plane.docs;

import io.aiel.plane.fixtures.PackagedPlane;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The Markdown pages of the repository: all of {@code docs} and those of the root. */
final class Pages {
    private static final Pattern LINK = Pattern.compile("(?<!`)\\[[^\\]`]*\\]\\(([^)\\s]+)\\)");
    private static final Pattern FENCE = Pattern.compile("(?ms)^```([^\\n]*)\\n(.*?)^```\\s*$");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+\\s+(.+)$");

    private Pages() {}

    /** A fenced sample. {@code info} is its language, and for those that are executed a word that says how. */
    record Sample(Path page, String info, String text) {
        private static final Pattern FILE = Pattern.compile("[a-z]+ to (\\S+)");

        String language() {
            return info.replaceFirst(" .*", "");
        }

        /** What a shell is told to follow the sample: to run it, to write it into the file that it names, or nothing. */
        String script() {
            Matcher file = FILE.matcher(info);
            return info.equals("sh run")
                    ? text + "\n"
                    : file.matches()
                            ? "cat > " + file.group(1) + " <<'END OF SAMPLE'\n" + text + "END OF SAMPLE\n"
                            : "";
        }

        /** Whether it is code of the project that the samples of its page use. */
        boolean isPushed() {
            return info.equals("python push");
        }
    }

    static List<Path> all() {
        Path root = PackagedPlane.repository();
        try (Stream<Path> docs = Files.walk(root.resolve("docs"));
                Stream<Path> top = Files.list(root)) {
            return Stream.concat(docs, top)
                    .filter(path -> path.toString().endsWith(".md"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String text(Path page) {
        try {
            return Files.readString(page, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<Sample> samples(Path page) {
        return samples(page, text(page));
    }

    static List<Sample> samples(Path page, String text) {
        List<Sample> samples = new ArrayList<>();
        Matcher fence = FENCE.matcher(text);
        while (fence.find()) {
            samples.add(new Sample(page, fence.group(1).strip(), fence.group(2)));
        }
        return samples;
    }

    /** The links of a page that lead nowhere, of those that stay in the repository. */
    static List<String> brokenLinks(Path page, String text) {
        List<String> broken = new ArrayList<>();
        Matcher link = LINK.matcher(FENCE.matcher(text).replaceAll(""));
        while (link.find()) {
            String target = link.group(1);
            if (target.matches("[a-z]+:.*")) {
                continue;
            }
            String file = target.replaceFirst("#.*$", "");
            Path at = file.isEmpty() ? page : page.resolveSibling(file).normalize();
            if (!Files.exists(at)) {
                broken.add(page + ": " + target + " is not there");
            } else if (target.contains("#") && at.toString().endsWith(".md")) {
                String anchor = target.substring(target.indexOf('#') + 1);
                if (!anchors(at.equals(page) ? text : text(at)).contains(anchor)) {
                    broken.add(page + ": " + target + " has no such heading");
                }
            }
        }
        return broken;
    }

    private static Set<String> anchors(String text) {
        Set<String> anchors = new HashSet<>();
        Matcher heading = HEADING.matcher(text);
        while (heading.find()) {
            anchors.add(heading.group(1)
                    .strip()
                    .toLowerCase(Locale.ROOT)
                    .replaceAll("[^\\p{L}\\p{N} _-]", "")
                    .replace(' ', '-'));
        }
        return anchors;
    }
}
