package io.aiel.plane.hydrator;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Keeps what tests provoke away from the machine they run on. */
final class Namespaces {
    private Namespaces() {}

    /** Whether this is root, who could harm the machine. */
    static boolean root() throws IOException {
        return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
    }

    /** A prefix for a command that gives it such namespaces of its own; empty for an ordinary user, who needs none. */
    static List<String> ofItsOwn(String... options) throws IOException, InterruptedException {
        if (!root()) {
            return List.of();
        }
        List<String> prefix = new ArrayList<>(List.of("unshare", "--propagation", "private"));
        prefix.addAll(List.of(options));
        if (!runs(prefix)) {
            throw new IllegalStateException("as root, the tests of the sandbox need the right to make namespaces ("
                    + String.join(" ", prefix) + "); run them as an ordinary user where root does not have it");
        }
        return prefix;
    }

    /** Whether a program can be started so. */
    static boolean runs(List<String> prefix) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(prefix);
        command.add("true");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            return process.waitFor(20, TimeUnit.SECONDS) && process.exitValue() == 0;
        } finally {
            process.destroyForcibly();
        }
    }
}
