package io.aiel.plane.hydrator;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The worker bundles of a data folder, for an operator: those that this build ships and those that were added. Servers on the same
 * folder see what changes at once. Thread-safe; every method blocks, for as long as an installation takes where it installs.
 */
public final class BundleCatalogue {
    private final BundleLocks locks;
    private final BundleInstaller installer;
    private final Python python;

    /**
     * One bundle.
     *
     * @param origin {@code shipped} or {@code added}
     * @param folder where it is or would be installed, named after the content of its lock file and the interpreter
     */
    public record Bundle(String name, String origin, long packages, Path folder, boolean installed) {}

    /**
     * Over one data folder.
     *
     * @param interpreter the one that bundles are made for; empty for the best found
     * @param limit how long one program of an installation may take
     * @param progress told one line at a time what an installation does
     * @throws HydratorFailure when no interpreter fits
     */
    public static BundleCatalogue of(
            Path dataDir, Optional<Path> interpreter, Duration limit, Consumer<String> progress)
            throws HydratorFailure {
        Python python = Python.find(interpreter, System.getenv());
        Path data = dataDir.toAbsolutePath();
        return new BundleCatalogue(new BundleLocks(data), new BundleInstaller(data, python, limit, progress), python);
    }

    BundleCatalogue(BundleLocks locks, BundleInstaller installer, Python python) {
        this.locks = locks;
        this.installer = installer;
        this.python = python;
    }

    /** All of them, by name. */
    public List<Bundle> list() throws HydratorFailure {
        List<Bundle> bundles = new ArrayList<>();
        for (String name : locks.names()) {
            bundles.add(view(locks.find(name)));
        }
        return bundles;
    }

    /** Installs one, so that no server has to wait for it. */
    public Bundle install(String name) throws HydratorFailure, InterruptedException {
        BundleLock lock = locks.find(name);
        installer.install(lock, BundleCheck.Limits.DEFAULT);
        return view(lock);
    }

    /**
     * Installs an operator's bundle and keeps its lock file; what cannot be installed is not kept. The same again changes nothing.
     *
     * @param lock a pip lock file with hashes
     * @param imports modules for the fork server to import once
     * @throws HydratorFailure also when the name means another lock file already
     */
    public Bundle add(String name, byte[] lock, List<String> imports) throws HydratorFailure, InterruptedException {
        BundleLock wanted = locks.checked(name, lock, imports);
        installer.install(wanted, BundleCheck.Limits.DEFAULT);
        locks.keep(wanted);
        return view(wanted);
    }

    /** Forgets an operator's bundle; what is installed of it goes with the next {@link #collect}. */
    public void remove(String name) throws HydratorFailure {
        locks.forget(name);
    }

    /** Deletes installed bundles that no lock file means any more and no running process uses. Returns what it deleted. */
    public List<Path> collect() throws HydratorFailure, InterruptedException {
        Set<String> wanted = new HashSet<>();
        for (String name : locks.names()) {
            wanted.add(locks.find(name).folder(python));
        }
        return installer.collect(wanted);
    }

    private Bundle view(BundleLock lock) {
        Path folder = installer.folder(lock);
        return new Bundle(
                lock.name(), lock.shipped() ? "shipped" : "added", lock.packages(), folder, Files.isDirectory(folder));
    }

    /** How much a bundle's folder holds, in bytes. */
    public static long bytes(Path folder) throws IOException {
        return Trees.bytes(folder);
    }
}
