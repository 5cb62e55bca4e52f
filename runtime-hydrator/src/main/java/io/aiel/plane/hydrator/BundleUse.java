package io.aiel.plane.hydrator;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * The sign that a process uses an installed bundle: a lock on a file beside its folder, shared by those who use it, had alone by who
 * removes it. The kernel takes it back from a process that dies. Thread-safe.
 */
final class BundleUse implements AutoCloseable {
    private final FileChannel channel;

    private BundleUse(FileChannel channel) {
        this.channel = channel;
    }

    /** Uses the folder, which need not be there yet. */
    static BundleUse of(Path folder) throws IOException {
        Path mark = mark(folder);
        Path parent = mark.getParent();
        if (parent != null) {
            Trees.open(parent);
        }
        FileChannel channel =
                FileChannel.open(mark, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            channel.lock(0, Long.MAX_VALUE, true);
        } catch (OverlappingFileLockException e) {
            // This process uses it already; that is as good.
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        return new BundleUse(channel);
    }

    /** Has the folder alone until it is closed; empty when a process uses it. */
    static Optional<BundleUse> alone(Path folder) throws IOException {
        FileChannel channel = FileChannel.open(
                mark(folder), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return Optional.of(new BundleUse(channel));
            }
        } catch (OverlappingFileLockException e) {
            // In use by this process.
        } catch (IOException e) {
            channel.close();
            throw e;
        }
        channel.close();
        return Optional.empty();
    }

    private static Path mark(Path folder) {
        return folder.toAbsolutePath().resolveSibling("." + folder.getFileName() + ".used");
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException("a lock could not be given back", e);
        }
    }
}
