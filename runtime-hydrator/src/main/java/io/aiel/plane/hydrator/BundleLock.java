package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.util.List;
import java.util.Locale;

/**
 * What a worker bundle is made from.
 *
 * @param text the lock file: exact versions, each with the hashes of its archives
 * @param imports modules that the bundle's fork server imports once, so that workers find them in memory
 */
record BundleLock(String name, String text, List<String> imports, boolean shipped) {
    private static final String NAME = "[a-z][a-z0-9-]{0,30}";
    private static final String MODULE = "[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*";

    BundleLock {
        imports = List.copyOf(imports);
    }

    /** Throws unless the name is one. */
    static String checkedName(String name) throws HydratorFailure {
        if (!name.matches(NAME)) {
            throw new HydratorFailure(
                    "a bundle's name is at most 31 lower-case letters, digits and hyphens, a letter first");
        }
        return name;
    }

    /** The modules of a text with one in each line. */
    static List<String> modules(String text) throws HydratorFailure {
        List<String> modules =
                text.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
        for (String module : modules) {
            if (!module.matches(MODULE)) {
                throw new HydratorFailure("'" + module + "' is not the name of a Python module");
            }
        }
        return modules;
    }

    /** How many there are: each begins a line of its own, what belongs to it is indented. */
    long packages() {
        return text.lines()
                .filter(line -> !line.isEmpty() && Character.isLetterOrDigit(line.charAt(0)))
                .count();
    }

    /** The folder that it is installed in for an interpreter: named after what went in. */
    String folder(Python python) {
        String content = text + "\n" + python.tag() + (imports.isEmpty() ? "" : "\n" + String.join("\n", imports));
        return name + "-" + Digest.of(content).hex().substring(0, 16).toLowerCase(Locale.ROOT);
    }
}
