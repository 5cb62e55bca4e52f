package io.aiel.plane.hydrator;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Folders as a whole: made read-only, measured, removed. Never follows a symbolic link. */
final class Trees {
    static final Set<PosixFilePermission> FOLDER_READ_ONLY = PosixFilePermissions.fromString("r-xr-xr-x");
    static final Set<PosixFilePermission> FILE_READ_ONLY = PosixFilePermissions.fromString("r--r--r--");
    static final Set<PosixFilePermission> FOLDER_PRIVATE = PosixFilePermissions.fromString("rwx------");
    static final Set<PosixFilePermission> FOLDER_OPEN = PosixFilePermissions.fromString("rwxr-xr-x");

    private Trees() {}

    /** Makes {@code folder} and its parents if missing, readable for all. */
    static void open(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            Files.createDirectories(folder);
            Files.setPosixFilePermissions(folder, FOLDER_OPEN);
        }
    }

    /** Everything readable for all and writable for none; files that could be executed stay so. */
    static void makeReadOnly(Path root) throws IOException {
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (attributes.isRegularFile()) {
                    Set<PosixFilePermission> now = Files.getPosixFilePermissions(file);
                    Set<PosixFilePermission> wanted = EnumSet.copyOf(FILE_READ_ONLY);
                    if (now.contains(PosixFilePermission.OWNER_EXECUTE)) {
                        wanted.addAll(FOLDER_READ_ONLY);
                    }
                    Files.setPosixFilePermissions(file, wanted);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException problem) throws IOException {
                if (problem != null) {
                    throw problem;
                }
                Files.setPosixFilePermissions(folder, FOLDER_READ_ONLY);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** What lies in a folder, itself and not what is below. */
    static List<Path> children(Path folder) throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.toList();
        }
    }

    /** The bytes of all regular files. */
    static long bytes(Path root) throws IOException {
        long[] sum = {0};
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                sum[0] += attributes.isRegularFile() ? attributes.size() : 0;
                return FileVisitResult.CONTINUE;
            }
        });
        return sum[0];
    }

    /** Removes the folder and all in it, read-only or not; nothing happens when it is not there. */
    static void delete(Path root) throws IOException {
        if (!Files.exists(root, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                Files.setPosixFilePermissions(folder, FOLDER_PRIVATE);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException problem) throws IOException {
                if (problem != null) {
                    throw problem;
                }
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
