package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A folder for what one server has while it runs: the workers' socket and the zygotes' configuration. Its server holds a lock on
 * a file in it, so a folder whose lock can be had belonged to a server that was killed; the next one removes it. A process id
 * alone would not tell: the same id comes again in a container, and ids of another process namespace say nothing here.
 */
final class RunFolder implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(RunFolder.class.getName());
    private static final String LOCK = "lock";
    private static final int SUFFIX_BYTES = 3;

    private final Path path;
    private final FileChannel held;

    private RunFolder(Path path, FileChannel held) {
        this.path = path;
        this.held = held;
    }

    /**
     * Makes a new one below {@code parent}, or in the folder for temporary files where its path would have more than
     * {@code bytesMax} bytes, and removes those that killed servers left.
     */
    static RunFolder make(Path parent, int bytesMax) throws IOException {
        String own = own();
        Path place = parent;
        String prefix = "";
        String name = own + random();
        if (parent.resolve(name).toString().getBytes(java.nio.charset.StandardCharsets.UTF_8).length > bytesMax) {
            place = Path.of(System.getProperty("java.io.tmpdir")).toAbsolutePath();
            prefix = "plane-" + Digest.of(parent.toString()).hex().substring(0, 8) + "-";
            name = prefix + name;
        } else {
            Trees.open(parent);
        }
        sweep(place, prefix, prefix + own);
        // Locked under another name: what a sweep can see is locked already.
        Path making = Files.createTempDirectory(place, ".run-");
        @Nullable FileChannel lock = null;
        try {
            lock = FileChannel.open(making.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            if (lock.tryLock() == null) {
                throw new IOException("a new lock file is locked: " + making);
            }
            Files.setPosixFilePermissions(making, Trees.FOLDER_PRIVATE);
            Path made = Files.move(making, place.resolve(name));
            return new RunFolder(made, lock);
        } catch (IOException e) {
            if (lock != null) {
                lock.close();
            }
            Trees.delete(making);
            throw e;
        }
    }

    Path path() {
        return path;
    }

    /** Removes it with all in it. */
    @Override
    public void close() throws IOException {
        Trees.delete(path);
        held.close();
    }

    /** How names of this process's folders begin. */
    private static String own() {
        ProcessHandle self = ProcessHandle.current();
        long started = self.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
        return self.pid() + "-" + Long.toString(started, Character.MAX_RADIX) + "-";
    }

    private static String random() {
        byte[] bytes = new byte[SUFFIX_BYTES];
        new SecureRandom().nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /**
     * Removes the folders of servers that are no more. This process's own are left alone without a look: to close a lock file
     * would give up the lock that another object here holds on it.
     */
    private static void sweep(Path place, String prefix, String own) throws IOException {
        List<Path> folders;
        try (Stream<Path> children = Files.list(place)) {
            folders = children.filter(child -> {
                        String name = String.valueOf(child.getFileName());
                        return name.matches(java.util.regex.Pattern.quote(prefix) + "\\d+-[0-9a-z]+-[0-9a-f]{6}")
                                && !name.startsWith(own)
                                && Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS);
                    })
                    .toList();
        }
        for (Path folder : folders) {
            try {
                sweep(folder);
            } catch (IOException e) {
                LOG.log(System.Logger.Level.WARNING, "what a killed server left cannot be removed: " + folder, e);
            }
        }
    }

    private static void sweep(Path folder) throws IOException {
        try (FileChannel lock =
                        FileChannel.open(folder.resolve(LOCK), StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
                FileLock had = lock.tryLock()) {
            if (had == null) {
                return;
            }
            LOG.log(System.Logger.Level.INFO, "Removing {0}, left by a server that was killed", folder);
            Trees.delete(folder);
        } catch (NoSuchFileException e) {
            LOG.log(System.Logger.Level.DEBUG, "{0} went away", folder);
        }
    }
}
