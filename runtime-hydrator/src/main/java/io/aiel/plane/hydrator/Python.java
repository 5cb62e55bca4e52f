package io.aiel.plane.hydrator;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A Python interpreter that workers can run on.
 *
 * @param executable the real file, links followed
 * @param version such as 3.11.2
 * @param tag implementation, version and platform: bundles are installed per tag
 * @param forAll every user of the machine may read it; workers with a user id of their own need that
 */
record Python(Path executable, String version, String tag, boolean forAll) {
    /** The published runtime's own floor. */
    static final int MINOR_MIN = 11;

    private static final int MINOR_MAX = 14;
    private static final String ASK = "import sys, sysconfig, os; print('\\n'.join([sys.implementation.name,"
            + " '%d.%d.%d' % sys.version_info[:3], sys.implementation.cache_tag, sysconfig.get_platform(),"
            + " os.path.realpath(sys.executable), sysconfig.get_path('stdlib')]))";

    /** The configured one, or PLANE_PYTHON, or the best found; throws a {@link HydratorFailure} that says what to install. */
    static Python find(Optional<Path> configured, Map<String, String> environment) throws HydratorFailure {
        Optional<Path> named = configured.or(() -> Optional.ofNullable(environment.get("PLANE_PYTHON"))
                .filter(text -> !text.isBlank())
                .map(Path::of));
        if (named.isPresent()) {
            Python python = probe(named.get())
                    .orElseThrow(() -> new HydratorFailure("the configured Python " + named.get()
                            + " does not run; set plane.hydrator.python or PLANE_PYTHON to a CPython 3." + MINOR_MIN
                            + " or later"));
            if (!python.usable()) {
                throw new HydratorFailure("the configured Python " + named.get() + " is " + python.version()
                        + "; CPython 3." + MINOR_MIN + " to 3." + MINOR_MAX + " is needed");
            }
            return python;
        }
        List<Path> candidates = new ArrayList<>();
        List<Path> folders = new ArrayList<>(List.of(Path.of("/usr/bin"), Path.of("/usr/local/bin")));
        for (String part : environment.getOrDefault("PATH", "").split(":", -1)) {
            if (part.startsWith("/")) {
                folders.add(Path.of(part));
            }
        }
        for (Path folder : folders) {
            candidates.add(folder.resolve("python3"));
            for (int minor = MINOR_MAX; minor >= MINOR_MIN; minor--) {
                candidates.add(folder.resolve("python3." + minor));
            }
        }
        @Nullable Python best = null;
        for (Path candidate : candidates) {
            if (!Files.isExecutable(candidate)) {
                continue;
            }
            Optional<Python> found = probe(candidate).filter(Python::usable);
            if (found.isPresent() && (best == null || (found.get().forAll() && !best.forAll()))) {
                best = found.get();
                if (best.forAll()) {
                    break;
                }
            }
        }
        if (best == null) {
            throw new HydratorFailure("no CPython 3." + MINOR_MIN + " to 3." + MINOR_MAX
                    + " was found; install one (Debian and Ubuntu: apt install python3 python3-venv) or name one in"
                    + " plane.hydrator.python or PLANE_PYTHON");
        }
        return best;
    }

    private boolean usable() {
        String[] parts = version.split("\\.", -1);
        int minor = Integer.parseInt(parts[1]);
        return tag.startsWith("cpython-") && parts[0].equals("3") && minor >= MINOR_MIN && minor <= MINOR_MAX;
    }

    private static Optional<Python> probe(Path candidate) {
        try {
            Process process = new ProcessBuilder(candidate.toString(), "-I", "-S", "-B", "-c", ASK)
                    .redirectErrorStream(true)
                    .start();
            process.getOutputStream().close();
            try (InputStream out = process.getInputStream()) {
                String text = new String(out.readNBytes(8192), StandardCharsets.UTF_8);
                if (!process.waitFor(10, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    return Optional.empty();
                }
                List<String> lines = text.lines().toList();
                if (process.exitValue() != 0 || lines.size() != 6) {
                    return Optional.empty();
                }
                String tag = (lines.get(0) + "-" + lines.get(2) + "-" + lines.get(3)).toLowerCase(Locale.ROOT);
                Path real = Path.of(lines.get(4));
                return Optional.of(
                        new Python(real, lines.get(1), tag, openToAll(real) && openToAll(Path.of(lines.get(5)))));
            }
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private static boolean openToAll(Path file) throws IOException {
        Path real = file.toRealPath();
        if (!Files.getPosixFilePermissions(real).contains(PosixFilePermission.OTHERS_READ)) {
            return false;
        }
        try (Stream<Path> steps = Stream.iterate(real.getParent(), step -> step != null, Path::getParent)) {
            for (Path step : (Iterable<Path>) steps::iterator) {
                if (!Files.getPosixFilePermissions(step).contains(PosixFilePermission.OTHERS_EXECUTE)) {
                    return false;
                }
            }
        }
        return true;
    }
}
