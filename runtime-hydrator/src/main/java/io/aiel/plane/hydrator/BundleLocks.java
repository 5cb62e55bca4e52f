package io.aiel.plane.hydrator;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The lock files of worker bundles: those that this build ships, and those that an operator added, which lie in a folder of the data
 * folder. A name means one lock file for good; a snapshot that was validated with it runs with the same packages ever after.
 * Thread-safe; blocks.
 */
final class BundleLocks {
    private static final List<String> SHIPPED = List.of("ai", "minimal");
    private static final int LOCK_BYTES_MAX = 4 << 20;
    private static final int IMPORTS_MAX = 200;
    private static final String LOCK = ".lock";
    private static final String IMPORTS = ".imports";

    private final Path added;

    BundleLocks(Path dataDir) {
        this.added = dataDir.resolve("bundle-locks");
    }

    /** All names, in order. */
    SortedSet<String> names() throws HydratorFailure {
        SortedSet<String> names = new TreeSet<>(SHIPPED);
        if (Files.isDirectory(added)) {
            try (Stream<Path> files = Files.list(added)) {
                files.map(file -> String.valueOf(file.getFileName()))
                        .filter(name -> name.endsWith(LOCK))
                        .forEach(name -> names.add(name.substring(0, name.length() - LOCK.length())));
            } catch (IOException e) {
                throw new HydratorFailure("the added bundles cannot be looked for in " + added + ": " + e, e);
            }
        }
        return names;
    }

    boolean has(String name) {
        return SHIPPED.contains(name)
                || (name.matches("[a-z0-9-]+") && Files.isRegularFile(added.resolve(name + LOCK)));
    }

    BundleLock find(String name) throws HydratorFailure {
        BundleLock.checkedName(name);
        if (SHIPPED.contains(name)) {
            Optional<String> imports = ShippedFiles.optionalText("bundles/" + name + "/imports.txt");
            return new BundleLock(
                    name,
                    ShippedFiles.text("bundles/" + name + "/requirements.lock"),
                    BundleLock.modules(imports.orElse("")),
                    true);
        }
        if (!has(name)) {
            throw new HydratorFailure(
                    "there is no worker bundle named " + name + "; there are " + String.join(", ", names()));
        }
        try {
            Path imports = added.resolve(name + IMPORTS);
            return new BundleLock(
                    name,
                    Files.readString(added.resolve(name + LOCK)),
                    Files.exists(imports) ? BundleLock.modules(Files.readString(imports)) : List.of(),
                    false);
        } catch (IOException e) {
            throw new HydratorFailure("the lock file of bundle " + name + " cannot be read: " + e, e);
        }
    }

    /** What was given, checked as far as that can be done without installing it; refused when the name means something else already. */
    BundleLock checked(String name, byte[] lock, List<String> imports) throws HydratorFailure {
        BundleLock.checkedName(name);
        if (SHIPPED.contains(name)) {
            throw new HydratorFailure("the name " + name + " is taken by a bundle of this build; choose another");
        }
        if (lock.length > LOCK_BYTES_MAX) {
            throw new HydratorFailure("the lock file has more than " + LOCK_BYTES_MAX + " bytes");
        }
        if (imports.size() > IMPORTS_MAX) {
            throw new HydratorFailure("more than " + IMPORTS_MAX + " modules are to be imported");
        }
        BundleLock wanted = new BundleLock(
                name, new String(lock, StandardCharsets.UTF_8), BundleLock.modules(String.join("\n", imports)), false);
        if (wanted.packages() == 0) {
            throw new HydratorFailure("the lock file names no package; it has lines such as"
                    + " name==1.2.3 --hash=sha256:…, as 'uv pip compile --generate-hashes' writes them");
        }
        if (has(name) && !find(name).equals(wanted)) {
            throw new HydratorFailure(
                    "the name " + name + " is taken by another lock file, and snapshots were validated with"
                            + " it; choose another name, such as " + name + "-2");
        }
        return wanted;
    }

    /** Keeps an operator's bundle: from now on servers on this data folder have it. */
    void keep(BundleLock lock) throws HydratorFailure {
        try {
            Files.createDirectories(added);
            write(added.resolve(lock.name() + IMPORTS), String.join("\n", lock.imports()));
            write(added.resolve(lock.name() + LOCK), lock.text());
        } catch (IOException e) {
            throw new HydratorFailure("the bundle cannot be kept in " + added + ": " + e, e);
        }
    }

    void forget(String name) throws HydratorFailure {
        if (SHIPPED.contains(BundleLock.checkedName(name))) {
            throw new HydratorFailure("the bundle " + name + " comes with this build and cannot be removed");
        }
        try {
            if (!Files.deleteIfExists(added.resolve(name + LOCK))) {
                throw new HydratorFailure("there is no added bundle named " + name);
            }
            Files.deleteIfExists(added.resolve(name + IMPORTS));
        } catch (IOException e) {
            throw new HydratorFailure("the bundle " + name + " cannot be removed: " + e, e);
        }
    }

    private static void write(Path file, String text) throws IOException {
        Path temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "tmp-", "");
        Files.writeString(temporary, text);
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
