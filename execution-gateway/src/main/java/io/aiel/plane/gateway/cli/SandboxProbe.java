package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.embedded.PrivateFiles;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/** Asks the workers' own launcher which isolation tiers this machine can give. Leaves nothing behind. */
final class SandboxProbe {
    private static final String FOLDER = "plane-hydrator/python/";
    private static final String LAUNCHER = "plane_worker/launcher.py";
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private SandboxProbe() {}

    /** The launcher's answer: {@code auto}, and {@code tiers} with {@code available} and {@code why} for each. */
    static JsonNode run(String python) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("plane-probe");
        try {
            // Workers with user ids of their own must be able to read it; it holds nothing secret.
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
            unpack(folder);
            Path answer = folder.resolve("answer.json");
            Process process = new ProcessBuilder(
                            python, "-I", "-S", "-B", folder.resolve(LAUNCHER).toString(), "--probe")
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(answer.toFile())
                    .redirectError(folder.resolve("errors").toFile())
                    .start();
            try {
                if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                    throw new IOException("the probe did not end within " + LIMIT.toSeconds() + " s");
                }
            } finally {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
            if (process.exitValue() != 0) {
                throw new IOException("the probe ended with code " + process.exitValue() + ": "
                        + Files.readString(folder.resolve("errors")).strip());
            }
            return new ObjectMapper().readTree(Files.readString(answer));
        } finally {
            PrivateFiles.deleteTree(folder);
        }
    }

    /** The launcher travels inside a jar; Python wants files. */
    private static void unpack(Path into) throws IOException {
        URL launcher = SandboxProbe.class.getClassLoader().getResource(FOLDER + LAUNCHER);
        if (launcher == null || !(launcher.openConnection() instanceof JarURLConnection connection)) {
            throw new IOException("this build does not carry the workers' launcher in a jar");
        }
        connection.setUseCaches(false);
        try (JarFile jar = connection.getJarFile()) {
            for (JarEntry entry : List.copyOf(jar.stream().toList())) {
                if (!entry.isDirectory() && entry.getName().startsWith(FOLDER)) {
                    Path target = into.resolve(entry.getName().substring(FOLDER.length()))
                            .normalize();
                    if (!target.startsWith(into) || target.getParent() == null) {
                        throw new IOException("the jar names a path outside: " + entry.getName());
                    }
                    Files.createDirectories(target.getParent());
                    try (InputStream content = jar.getInputStream(entry)) {
                        Files.copy(content, target);
                    }
                }
            }
        }
    }
}
