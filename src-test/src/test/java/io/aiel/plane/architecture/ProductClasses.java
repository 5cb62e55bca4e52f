package io.aiel.plane.architecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The compiled classes of all modules, read from their build folders. */
final class ProductClasses {
    private static final List<String> MODULES =
            List.of("capability-registry", "policy-engine", "runtime-hydrator", "audit-pipeline", "execution-gateway");

    private ProductClasses() {}

    static JavaClasses main() {
        return read("classes", true);
    }

    static JavaClasses tests() {
        return read("test-classes", false);
    }

    private static JavaClasses read(String folder, boolean required) {
        Path root = Path.of("..").toAbsolutePath().normalize();
        List<Path> folders = MODULES.stream()
                .map(module -> root.resolve(module).resolve("target").resolve(folder))
                .filter(path -> required || Files.isDirectory(path))
                .toList();
        for (Path path : folders) {
            if (!Files.isDirectory(path)) {
                throw new IllegalStateException(
                        path + " is missing: build the modules first (./mvnw -pl src-test -am test)");
            }
        }
        return new ClassFileImporter().importPaths(folders);
    }
}
