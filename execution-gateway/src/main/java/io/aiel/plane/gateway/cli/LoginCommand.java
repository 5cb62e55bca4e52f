package io.aiel.plane.gateway.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "login",
        description = "Writes the profile that the published aiel command reads; other profiles stay as they are.")
final class LoginCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ServerChoice server = new ServerChoice();

    @Option(names = "--profile", description = "The profile to write (default: ${DEFAULT-VALUE}).")
    private String profile = "default";

    @Option(names = "--workspace", description = "Slug or id of the workspace to select (default: the first).")
    private @Nullable String workspace;

    @Option(names = "--project", description = "Slug or id of the project to select (default: the first).")
    private @Nullable String project;

    @Override
    public Integer call() {
        PlaneClient client = server.client();
        var file = new CredentialsFile(home());
        var content = CredentialsFile.profile(
                client.baseUrl(),
                client.token(),
                client.me(),
                Optional.ofNullable(workspace),
                Optional.ofNullable(project));
        file.put(profile, content);
        spec.commandLine()
                .getOut()
                .println("Logged in to " + client.baseUrl() + " as "
                        + content.path("user").asText() + ", workspace "
                        + content.at("/workspace/slug").asText("none") + ", project "
                        + content.at("/project/slug").asText("none") + ".\nProfile '" + profile + "' is in "
                        + file.path());
        return 0;
    }

    /** As the client finds it: the environment comes first. */
    private static Path home() {
        String home = System.getenv("HOME");
        return Path.of(home == null || home.isBlank() ? System.getProperty("user.home") : home);
    }
}
