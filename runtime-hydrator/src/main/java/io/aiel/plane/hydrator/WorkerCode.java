package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.SortedMap;

/** The Python side of workers as files on disk, in a folder named after their content. */
final class WorkerCode {
    private WorkerCode() {}

    /** The folder below {@code parent} that holds the package {@code plane_worker}. */
    static Path extract(Path parent) throws HydratorFailure {
        SortedMap<String, byte[]> files = ShippedFiles.below("python", "plane_worker/launcher.py");
        StringBuilder content = new StringBuilder();
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            content.append(file.getKey())
                    .append(' ')
                    .append(Digest.of(file.getValue()))
                    .append('\n');
        }
        Path target = parent.resolve(Digest.of(content.toString().getBytes(StandardCharsets.UTF_8))
                .hex()
                .substring(0, 16));
        if (Files.isDirectory(target)) {
            return target;
        }
        try {
            Trees.open(parent);
            Path temporary = Files.createTempDirectory(parent, "tmp-");
            try {
                for (Map.Entry<String, byte[]> file : files.entrySet()) {
                    Path path = SnapshotStore.resolve(temporary, file.getKey());
                    Path folder = path.getParent();
                    if (folder != null) {
                        Files.createDirectories(folder);
                    }
                    Files.write(path, file.getValue());
                }
                Trees.makeReadOnly(temporary);
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            } catch (FileAlreadyExistsException e) {
                return target;
            } catch (FileSystemException e) {
                if (!Files.isDirectory(target)) {
                    throw e;
                }
            } finally {
                Trees.delete(temporary);
            }
            return target;
        } catch (IOException e) {
            throw new HydratorFailure("the workers' code cannot be written below " + parent + ": " + e, e);
        }
    }
}
