package io.aiel.plane.hydrator;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/** The files that this module ships inside its jar: the Python side of workers and the bundles' lock files. */
final class ShippedFiles {
    private static final String ROOT = "plane-hydrator/";

    private ShippedFiles() {}

    /** One file's text. */
    static String text(String path) throws HydratorFailure {
        try (InputStream in = ShippedFiles.class.getClassLoader().getResourceAsStream(ROOT + path)) {
            if (in == null) {
                throw new HydratorFailure("this build does not ship " + path);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new HydratorFailure("cannot read " + path + " out of this build", e);
        }
    }

    /** One file's text; empty when this build has no such file. */
    static Optional<String> optionalText(String path) throws HydratorFailure {
        return ShippedFiles.class.getClassLoader().getResource(ROOT + path) == null
                ? Optional.empty()
                : Optional.of(text(path));
    }

    /** All files below {@code folder}, by their path relative to it. {@code marker} is a file that is surely there. */
    static SortedMap<String, byte[]> below(String folder, String marker) throws HydratorFailure {
        String prefix = ROOT + folder + "/";
        URL url = ShippedFiles.class.getClassLoader().getResource(prefix + marker);
        if (url == null) {
            throw new HydratorFailure("this build does not ship " + folder + "/" + marker);
        }
        try {
            SortedMap<String, byte[]> files = new TreeMap<>();
            if (url.getProtocol().equals("file")) {
                Path file = Path.of(url.toURI());
                Path base = file.getRoot()
                        .resolve(file.subpath(
                                0, file.getNameCount() - Path.of(marker).getNameCount()));
                readFolder(base, files);
            } else {
                readJar(url, prefix, files);
            }
            return Collections.unmodifiableSortedMap(files);
        } catch (IOException | URISyntaxException e) {
            throw new HydratorFailure("cannot read " + folder + " out of this build", e);
        }
    }

    private static void readFolder(Path base, Map<String, byte[]> files) throws IOException {
        try (Stream<Path> paths = Files.walk(base)) {
            for (Path path : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator) {
                String name = base.relativize(path).toString();
                if (!name.contains("__pycache__")) {
                    files.put(name, Files.readAllBytes(path));
                }
            }
        }
    }

    private static void readJar(URL url, String prefix, Map<String, byte[]> files) throws IOException {
        URLConnection connection = url.openConnection();
        if (!(connection instanceof JarURLConnection jarConnection)) {
            throw new IOException(
                    "resources of a build can only be listed in a folder or a jar, not " + url.getProtocol());
        }
        jarConnection.setUseCaches(false);
        try (JarFile jar = jarConnection.getJarFile()) {
            for (JarEntry entry : Collections.list(jar.entries())) {
                if (entry.getName().startsWith(prefix) && !entry.isDirectory()) {
                    try (InputStream in = jar.getInputStream(entry)) {
                        files.put(entry.getName().substring(prefix.length()), in.readAllBytes());
                    }
                }
            }
        }
    }
}
