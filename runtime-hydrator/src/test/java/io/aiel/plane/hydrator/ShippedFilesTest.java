package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What workers run on is in the jar, and comes out of it as it went in. */
class ShippedFilesTest {
    @TempDir
    Path folder;

    @Test
    void outOfAJarComesWhatComesOutOfAFolder() throws Exception {
        Path classes = Path.of(ShippedFiles.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        assertThat(classes).isDirectory();
        Path jar = folder.resolve("a path with spaces").resolve("runtime-hydrator.jar");
        Files.createDirectories(jar.getParent());
        pack(classes, jar);
        SortedMap<String, byte[]> wanted = ShippedFiles.below("python", "plane_worker/launcher.py");
        assertThat(wanted).containsKeys("plane_worker/launcher.py", "plane_worker/selftest/entry_point.py");
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, ShippedFiles.class.getClassLoader()) {
                    @Override
                    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
                        // Of its own, not the parent's: the jar is to be looked into.
                        return name.startsWith("io.aiel.plane.hydrator.")
                                ? findClass(name)
                                : super.loadClass(name, resolve);
                    }

                    @Override
                    public @Nullable URL getResource(String name) {
                        return findResource(name);
                    }
                }) {
            Class<?> packed = loader.loadClass(ShippedFiles.class.getName());
            Method below = packed.getDeclaredMethod("below", String.class, String.class);
            below.setAccessible(true);
            assertThat((SortedMap<?, ?>) below.invoke(null, "python", "plane_worker/launcher.py"))
                    .usingRecursiveComparison()
                    .isEqualTo(wanted);
        }
    }

    private static void pack(Path classes, Path jar) throws Exception {
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out);
                Stream<Path> files = Files.walk(classes)) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                entries.putNextEntry(new JarEntry(classes.relativize(file).toString()));
                Files.copy(file, entries);
                entries.closeEntry();
            }
        }
    }
}
