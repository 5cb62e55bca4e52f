package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * Snapshots as read-only folders on this machine, fetched when first needed and removed, least recently used first, when they
 * take too much room; never while a worker has one. A folder appears whole or not at all. Thread-safe; blocks.
 */
final class SnapshotStore {
    private static final int ENTRIES_MAX = 20_000;
    private static final long SNAPSHOT_BYTES_MAX = 1L << 30;

    private final Path root;
    private final SnapshotSource source;
    private final long bytesMax;
    private final Duration fetchMax;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Entry> entries = new HashMap<>();

    private static final class Entry {
        final ReentrantLock building = new ReentrantLock();
        boolean present;
        long bytes;
        long lastUsed;
        int leases;
    }

    /** A promise that the folder stays until closed. */
    static final class Lease implements AutoCloseable {
        private final Runnable release;
        private final AtomicBoolean closed = new AtomicBoolean();
        private final String folder;

        private Lease(String folder, Runnable release) {
            this.folder = folder;
            this.release = release;
        }

        /** The folder's name within the store. */
        String folder() {
            return folder;
        }

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                release.run();
            }
        }
    }

    SnapshotStore(Path root, SnapshotSource source, long bytesMax, Duration fetchMax) throws HydratorFailure {
        this.root = root;
        this.source = source;
        this.bytesMax = bytesMax;
        this.fetchMax = fetchMax;
        try {
            Trees.open(root);
            try (Stream<Path> children = Files.list(root)) {
                for (Path child : (Iterable<Path>) children::iterator) {
                    String name = String.valueOf(child.getFileName());
                    if (name.matches("[0-9a-f]{64}") && Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
                        Entry entry = new Entry();
                        entry.present = true;
                        entry.bytes = Trees.bytes(child);
                        entry.lastUsed = Files.getLastModifiedTime(child).toMillis();
                        entries.put(name, entry);
                    } else if (name.startsWith("tmp-")) {
                        Trees.delete(child);
                    }
                }
            }
        } catch (IOException e) {
            throw new HydratorFailure("the snapshot store at " + root + " cannot be opened: " + e, e);
        }
    }

    Path root() {
        return root;
    }

    /** The snapshot of this digest, fetched from the source if it is not here. */
    Lease lease(Digest snapshot) throws HydratorFailure, InterruptedException {
        return lease(await(source.files(snapshot), "the list of files of " + snapshot));
    }

    /** The snapshot made of these files. */
    Lease lease(SnapshotFiles files) throws HydratorFailure, InterruptedException {
        return lease(files, Map.of());
    }

    /** Likewise; blobs that are in {@code known} are not fetched. */
    Lease lease(SnapshotFiles files, Map<Digest, byte[]> known) throws HydratorFailure, InterruptedException {
        String name = files.key().hex();
        Entry entry;
        lock.lock();
        try {
            entry = entries.computeIfAbsent(name, absent -> new Entry());
            entry.leases++;
            entry.lastUsed = System.currentTimeMillis();
        } finally {
            lock.unlock();
        }
        Lease lease = new Lease(name, () -> release(entry));
        boolean done = false;
        try {
            if (!entry.building.tryLock(fetchMax.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new HydratorFailure("the snapshot is still being fetched by others");
            }
            try {
                Path folder = root.resolve(name);
                if (!entry.present) {
                    long bytes = build(files, known, folder);
                    lock.lock();
                    try {
                        entry.present = true;
                        entry.bytes = bytes;
                    } finally {
                        lock.unlock();
                    }
                    makeRoom();
                } else {
                    Files.setLastModifiedTime(folder, FileTime.fromMillis(System.currentTimeMillis()));
                }
            } finally {
                entry.building.unlock();
            }
            done = true;
            return lease;
        } catch (IOException e) {
            throw new HydratorFailure("the snapshot cannot be written to " + root + ": " + e, e);
        } finally {
            if (!done) {
                lease.close();
            }
        }
    }

    private void release(Entry entry) {
        lock.lock();
        try {
            entry.leases--;
            entry.lastUsed = System.currentTimeMillis();
        } finally {
            lock.unlock();
        }
    }

    private long build(SnapshotFiles files, Map<Digest, byte[]> known, Path target)
            throws HydratorFailure, IOException, InterruptedException {
        if (files.entries().size() > ENTRIES_MAX) {
            throw new HydratorFailure("the snapshot has more than " + ENTRIES_MAX + " files");
        }
        Path temporary = Files.createTempDirectory(root, "tmp-");
        try {
            long sum = 0;
            for (SnapshotFiles.Entry file : files.entries()) {
                Path path = resolve(temporary, file.path());
                byte[] held = known.get(file.digest());
                byte[] bytes = held != null ? held : await(source.blob(file.digest()), "the blob " + file.digest());
                if (bytes.length != file.sizeBytes() || !Digest.of(bytes).equals(file.digest())) {
                    throw new HydratorFailure("the bytes of " + file.path() + " are not those of its digest");
                }
                sum += bytes.length;
                if (sum > SNAPSHOT_BYTES_MAX) {
                    throw new HydratorFailure("the snapshot is larger than " + SNAPSHOT_BYTES_MAX + " bytes");
                }
                Path parent = path.getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                Files.write(
                        path,
                        bytes,
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS);
                Files.setPosixFilePermissions(path, Trees.FILE_READ_ONLY);
            }
            Trees.makeReadOnly(temporary);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            return sum;
        } finally {
            Trees.delete(temporary);
        }
    }

    /** Paths were checked when they came in; checked again here, where a mistake would write outside of the store. */
    static Path resolve(Path folder, String path) throws HydratorFailure {
        boolean bad = path.isEmpty() || path.length() > 1024;
        for (int i = 0; i < path.length() && !bad; i++) {
            char c = path.charAt(i);
            bad = c == '\\' || Character.isISOControl(c);
        }
        if (!bad) {
            for (String step : path.split("/", -1)) {
                bad |= step.isEmpty() || step.equals(".") || step.equals("..");
            }
        }
        if (bad) {
            throw new HydratorFailure("a file of the snapshot has a path that is not allowed");
        }
        Path resolved = folder.resolve(path).normalize();
        if (!resolved.startsWith(folder) || resolved.equals(folder)) {
            throw new HydratorFailure("a file of the snapshot has a path that leads out of it");
        }
        return resolved;
    }

    private void makeRoom() throws IOException {
        List<String> victims = new ArrayList<>();
        lock.lock();
        try {
            long sum = entries.values().stream().mapToLong(entry -> entry.bytes).sum();
            while (sum > bytesMax) {
                Map.Entry<String, Entry> oldest = entries.entrySet().stream()
                        .filter(entry -> entry.getValue().present && entry.getValue().leases == 0)
                        .min(java.util.Comparator.comparingLong(entry -> entry.getValue().lastUsed))
                        .orElse(null);
                if (oldest == null) {
                    break;
                }
                sum -= oldest.getValue().bytes;
                // Renamed under the lock, so that a lease taken from now on builds anew; removed afterwards.
                String name = oldest.getKey();
                Path folder = root.resolve(name);
                Path away = root.resolve("tmp-" + name + "-" + System.nanoTime());
                Files.move(folder, away, StandardCopyOption.ATOMIC_MOVE);
                entries.remove(name);
                victims.add(String.valueOf(away.getFileName()));
            }
        } finally {
            lock.unlock();
        }
        for (String victim : victims) {
            Trees.delete(root.resolve(victim));
        }
    }

    private <T> T await(CompletionStage<T> stage, String what) throws HydratorFailure, InterruptedException {
        try {
            return stage.toCompletableFuture().get(fetchMax.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new HydratorFailure(what + " cannot be had: " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new HydratorFailure(what + " did not come within " + fetchMax.toMillis() + " ms", e);
        }
    }
}
