package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * Installs worker bundles: locked sets of Python packages, wheels only, every file checked against a hash in the lock file that
 * this build ships. A bundle is a read-only folder whose name holds the digest of lock and interpreter; it appears whole or not
 * at all, also when several servers share the data folder. Thread-safe; blocks.
 */
final class BundleInstaller {
    private static final ReentrantLock IN_PROCESS = new ReentrantLock();
    /** Every bundle holds what the plane's side of a worker needs, and what its fork server is to import. */
    private static final String CHECK =
            "import importlib, sys; sys.path.append(sys.argv[1]); import aiel_sdk, aiel_runtime.runner, jsonschema, packaging;"
                    + " [importlib.import_module(name) for name in sys.argv[2:]]";

    private static final String IMPORTS = "imports.txt";
    /** A bundle's folder: its name and 16 digits of its content's digest. */
    private static final Pattern FOLDER = Pattern.compile("[a-z][a-z0-9-]{0,30}-[0-9a-f]{16}");

    private final Path bundles;
    private final Path tools;
    private final Python python;
    private final Duration limit;
    private final Consumer<String> progress;

    BundleInstaller(Path dataDir, Python python, Duration limit, Consumer<String> progress) {
        this.bundles = dataDir.resolve("bundles");
        this.tools = dataDir.resolve("tools");
        this.python = python;
        this.limit = limit;
        this.progress = progress;
    }

    /** Where a bundle is, or would be. */
    Path folder(BundleLock lock) {
        return bundles.resolve(lock.folder(python));
    }

    /** The folder of this bundle, after installing it if it is not there. */
    Path install(BundleLock lock, BundleCheck.Limits limits) throws HydratorFailure, InterruptedException {
        Path target = folder(lock);
        if (Files.isDirectory(target)) {
            return target;
        }
        String name = lock.name();
        long started = System.nanoTime();
        try {
            Trees.open(bundles);
            Files.createDirectories(tools);
            locked(bundles.resolve(".lock"), () -> {
                if (!Files.isDirectory(target)) {
                    sweep(bundles);
                    progress.accept("Installing worker bundle '" + name + "' for Python " + python.version() + " ("
                            + lock.packages() + " locked packages)");
                    installInto(target, lock, limits);
                    progress.accept("Worker bundle '" + name + "' is ready after "
                            + TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - started) + " s");
                }
            });
        } catch (IOException e) {
            throw new HydratorFailure(
                    "the worker bundle '" + name + "' cannot be written below " + bundles + ": " + e, e);
        }
        return target;
    }

    /** Deletes the folders of bundles but those named, and those that a process uses. */
    List<Path> collect(Set<String> wanted) throws HydratorFailure, InterruptedException {
        List<Path> deleted = new ArrayList<>();
        if (!Files.isDirectory(bundles)) {
            return deleted;
        }
        try {
            locked(bundles.resolve(".lock"), () -> {
                sweep(bundles);
                for (Path folder : Trees.children(bundles)) {
                    String name = String.valueOf(folder.getFileName());
                    if (!FOLDER.matcher(name).matches() || wanted.contains(name)) {
                        continue;
                    }
                    Optional<BundleUse> alone = BundleUse.alone(folder);
                    if (alone.isPresent()) {
                        try (BundleUse _ = alone.get()) {
                            Trees.delete(folder);
                            deleted.add(folder);
                        }
                    } else {
                        progress.accept("Keeping " + name + ": a running server uses it");
                    }
                }
            });
        } catch (IOException e) {
            throw new HydratorFailure("old bundles cannot be deleted below " + bundles + ": " + e, e);
        }
        return deleted;
    }

    private void installInto(Path target, BundleLock lock, BundleCheck.Limits limits)
            throws HydratorFailure, IOException, InterruptedException {
        Path temporary = Files.createTempDirectory(bundles, "tmp-");
        try {
            Path requirements = temporary.resolve("requirements.lock");
            Files.writeString(requirements, lock.text());
            Files.writeString(temporary.resolve(IMPORTS), String.join("\n", lock.imports()));
            Path site = Files.createDirectory(temporary.resolve("site"));
            Optional<HydratorFailure> why = installWithUv(requirements, site);
            if (why.isPresent()) {
                progress.accept("uv could not install it (" + why.get().getMessage() + "); trying pip");
                Trees.delete(site);
                Files.createDirectory(site);
                installWithPip(requirements, site, List.of("--only-binary", ":all:"));
            }
            BundleCheck.check(site, limits);
            progress.accept("Checking that the bundle imports");
            List<String> check = new ArrayList<>(
                    List.of(python.executable().toString(), "-I", "-S", "-B", "-c", CHECK, site.toString()));
            check.addAll(lock.imports());
            run(check, "the check");
            Trees.makeReadOnly(temporary);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Trees.delete(temporary);
        }
    }

    private Optional<HydratorFailure> installWithUv(Path requirements, Path site)
            throws IOException, InterruptedException {
        try {
            Path uv = uv();
            progress.accept("Fetching and unpacking packages");
            List<String> command = new ArrayList<>(List.of(uv.toString(), "pip", "install", "--no-config", "--python"));
            command.add(python.executable().toString());
            command.addAll(List.of("--target", site.toString(), "--require-hashes", "--only-binary", ":all:"));
            command.addAll(List.of("--no-deps", "--compile-bytecode", "--link-mode", "copy"));
            command.addAll(List.of("--cache-dir", tools.resolve("uv-cache").toString()));
            command.addAll(List.of("-r", requirements.toString()));
            run(command, "uv");
            return Optional.empty();
        } catch (HydratorFailure e) {
            return Optional.of(e);
        }
    }

    /** uv's program file, itself got by pip and checked against the shipped hashes. */
    private Path uv() throws HydratorFailure, IOException, InterruptedException {
        String lock = ShippedFiles.text("bundles/tools/uv.lock");
        Path home = tools.resolve("uv-" + key(lock));
        Path program = home.resolve("bin").resolve("uv");
        if (!Files.isExecutable(program)) {
            sweep(tools);
            progress.accept("Fetching uv, the package installer");
            Path temporary = Files.createTempDirectory(tools, "tmp-");
            try {
                Path requirements = temporary.resolve("uv.lock");
                Files.writeString(requirements, lock);
                installWithPip(requirements, temporary, List.of("--only-binary", ":all:"));
                Files.move(temporary, home, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Trees.delete(temporary);
            }
        }
        return program;
    }

    private void installWithPip(Path requirements, Path target, List<String> options)
            throws HydratorFailure, IOException, InterruptedException {
        List<String> command = new ArrayList<>(pip());
        command.addAll(List.of("install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"));
        command.addAll(List.of("--require-hashes", "--root-user-action", "ignore", "--compile"));
        command.addAll(options);
        command.addAll(List.of("--target", target.toString(), "-r", requirements.toString()));
        run(command, "pip");
    }

    /** A command that is pip: the interpreter's own, or that of a private environment. */
    private List<String> pip() throws HydratorFailure, IOException, InterruptedException {
        String program = python.executable().toString();
        if (succeeds(List.of(program, "-m", "pip", "--version"))) {
            return List.of(program, "-m", "pip");
        }
        Path home = tools.resolve("pip-" + key("pip"));
        Path own = home.resolve("bin").resolve("python");
        if (!Files.isExecutable(own)) {
            if (!succeeds(List.of(program, "-m", "ensurepip", "--version"))) {
                throw new HydratorFailure("Python " + python.version() + " at " + program
                        + " has neither pip nor ensurepip, so worker bundles cannot be installed; on Debian and Ubuntu:"
                        + " apt install python3-venv (or python3-pip)");
            }
            progress.accept("Making a private pip");
            Trees.delete(home);
            run(List.of(program, "-m", "venv", home.toString()), "venv");
        }
        return List.of(own.toString(), "-m", "pip");
    }

    private boolean succeeds(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectInput(new File("/dev/null"))
                .start();
        try {
            return process.waitFor(30, TimeUnit.SECONDS) && process.exitValue() == 0;
        } finally {
            process.destroyForcibly();
        }
    }

    private void run(List<String> command, String what) throws HydratorFailure, IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.redirectInput(new File("/dev/null"));
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(name -> name.startsWith("AIEL_") || name.startsWith("PLANE_"));
        environment.keySet().removeAll(List.of("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_USER"));
        // pip's way of naming a mirror; uv has its own.
        alias(environment, "PIP_INDEX_URL", "UV_DEFAULT_INDEX");
        alias(environment, "PIP_EXTRA_INDEX_URL", "UV_INDEX");
        alias(environment, "PIP_CERT", "SSL_CERT_FILE");
        Process process = builder.start();
        Deque<String> last = new ArrayDeque<>();
        Thread reader = Thread.ofVirtual().start(() -> {
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    synchronized (last) {
                        last.addLast(line.length() > 300 ? line.substring(0, 300) : line);
                        if (last.size() > 8) {
                            last.removeFirst();
                        }
                    }
                }
            } catch (IOException e) {
                // The process was killed; its exit code says so.
            }
        });
        try {
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new HydratorFailure(what + " did not finish within " + limit.toSeconds() + " s");
            }
            reader.join(Duration.ofSeconds(5));
            if (process.exitValue() != 0) {
                String tail;
                synchronized (last) {
                    tail = String.join(" | ", last);
                }
                throw new HydratorFailure(what + " ended with code " + process.exitValue() + ": " + tail);
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    private static void alias(Map<String, String> environment, String from, String to) {
        String value = environment.get(from);
        if (value != null && !value.isBlank() && !environment.containsKey(to)) {
            environment.put(to, value);
        }
    }

    private String key(String lock) {
        return Digest.of(lock + "\n" + python.tag()).hex().substring(0, 16).toLowerCase(Locale.ROOT);
    }

    /** Removes what an interrupted installation left; only under the lock. */
    private static void sweep(Path folder) throws IOException {
        for (Path child : Trees.children(folder)) {
            Path name = child.getFileName();
            if (name != null && name.toString().startsWith("tmp-")) {
                Trees.delete(child);
            }
        }
    }

    private interface Body {
        void run() throws HydratorFailure, IOException, InterruptedException;
    }

    /** Runs the body while no other thread or process on this folder does. */
    private void locked(Path file, Body body) throws HydratorFailure, IOException, InterruptedException {
        if (!IN_PROCESS.tryLock(limit.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new HydratorFailure("another installation in this process did not finish");
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            long until = System.nanoTime() + limit.toNanos();
            boolean told = false;
            while (true) {
                try (FileLock lock = channel.tryLock()) {
                    if (lock != null) {
                        body.run();
                        return;
                    }
                } catch (OverlappingFileLockException e) {
                    // Another class loader of this process holds it: wait as for another process.
                }
                if (!told) {
                    progress.accept("Waiting for another server that installs into the same data folder");
                    told = true;
                }
                if (System.nanoTime() > until) {
                    throw new HydratorFailure("another process holds " + file + " for more than " + limit.toSeconds()
                            + " s; if none is installing, remove the file");
                }
                Thread.sleep(100);
            }
        } finally {
            IN_PROCESS.unlock();
        }
    }
}
