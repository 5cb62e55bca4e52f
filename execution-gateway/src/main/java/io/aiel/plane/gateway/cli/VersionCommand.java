package io.aiel.plane.gateway.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "version", description = "Prints the version of the plane and of the Java it runs on.")
final class VersionCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        spec.commandLine().getOut().println("plane " + version() + " (Java " + Runtime.version() + ")");
        return 0;
    }

    static String version() {
        var properties = new Properties();
        try (InputStream in = VersionCommand.class.getResourceAsStream("/plane-version.properties")) {
            if (in == null) {
                throw new CommandFailed("This build does not carry its version: plane-version.properties is missing.");
            }
            properties.load(in);
        } catch (IOException e) {
            throw new CommandFailed("Cannot read the version of this build: " + e.getMessage(), e);
        }
        return properties.getProperty("version", "unknown");
    }
}
