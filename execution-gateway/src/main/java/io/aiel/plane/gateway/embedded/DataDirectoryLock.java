package io.aiel.plane.gateway.embedded;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * The right to use a data folder, held by one server at a time.
 *
 * <p>A file lock of the operating system: it goes when the process goes, also when that is killed.
 */
public final class DataDirectoryLock implements AutoCloseable {
    private final FileChannel channel;

    private DataDirectoryLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Takes the lock, or refuses at once.
     *
     * @param folder the data folder; made when missing
     * @return the lock, to be closed when everything that uses the folder has stopped
     * @throws EmbeddedServerFailed when another server holds it
     */
    public static DataDirectoryLock acquire(Path folder) {
        Path file = folder.resolve("server.lock");
        FileChannel channel = null;
        try {
            Files.createDirectories(folder);
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (tryLock(channel) != null) {
                return new DataDirectoryLock(channel);
            }
            channel.close();
        } catch (IOException e) {
            closeQuietly(channel);
            throw new EmbeddedServerFailed("Cannot use the data folder " + folder + ": " + e, e);
        }
        throw new EmbeddedServerFailed("Another server is using the data folder " + folder
                + ". Stop it, or give this one a folder of its own with --data.");
    }

    @Override
    public void close() {
        closeQuietly(channel);
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // Held within this very process.
            return null;
        }
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        if (channel == null) {
            return;
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw new EmbeddedServerFailed("Cannot release the lock of a data folder", e);
        }
    }
}
