package io.aiel.plane.hydrator;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** Installs a bundle, as a server does at its first start, and says where it is. */
final class InstallProbe {
    static final String AT = "AT ";

    private InstallProbe() {}

    public static void main(String[] arguments) throws Exception {
        Python python = Python.find(Optional.empty(), Map.of("PATH", System.getenv("PATH")));
        BundleInstaller installer =
                new BundleInstaller(Path.of(arguments[0]), python, Duration.ofMinutes(5), System.out::println);
        System.out.println(AT + installer.install("minimal"));
    }
}
