package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "token",
        description = "Creates and revokes tokens.",
        subcommands = {TokenCommand.Create.class, TokenCommand.Revoke.class})
final class TokenCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return CommandLine.ExitCode.USAGE;
    }

    @Command(name = "create", description = "Creates a token and prints it once, alone on standard output.")
    static final class Create implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private ServerChoice server = new ServerChoice();

        @Option(names = "--name", required = true, description = "What the token is for.")
        private String name = "";

        @Option(
                names = "--scope",
                description = "An action such as execution.invoke, an area such as files.*, or *; may be repeated.")
        private List<String> scopes = List.of();

        @Option(names = "--role", description = "A role that the token is narrowed to; may be repeated.")
        private List<String> roles = List.of();

        @Option(names = "--workspace", description = "Narrow the token to this workspace (slug or id).")
        private @Nullable String workspace;

        @Option(names = "--project", description = "Narrow the token to this project (slug or id).")
        private @Nullable String project;

        @Option(names = "--expires", description = "Life of the token, ISO 8601, for instance PT12H or P30D.")
        private @Nullable Duration expires;

        @Override
        public Integer call() {
            ObjectNode body = new ObjectMapper().createObjectNode();
            body.put("name", name);
            addAll(body, "scopes", scopes);
            addAll(body, "roles", roles);
            if (workspace != null) {
                body.put("workspace", workspace);
            }
            if (project != null) {
                body.put("project", project);
            }
            if (expires != null) {
                body.put("expires_in_seconds", expires.toSeconds());
            }
            JsonNode made = server.client().post("/v1/tokens", body).expectSuccess("The token was not created");
            spec.commandLine().getOut().println(made.path("token").asText());
            spec.commandLine().getErr().println("Token " + made.path("id").asText() + " is shown only this once.");
            return 0;
        }

        private static void addAll(ObjectNode body, String member, List<String> values) {
            if (!values.isEmpty()) {
                values.forEach(body.putArray(member)::add);
            }
        }
    }

    @Command(name = "revoke", description = "Revokes a token at once.")
    static final class Revoke implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private ServerChoice server = new ServerChoice();

        @Parameters(paramLabel = "TOKEN_ID", description = "The id that create printed.")
        private String id = "";

        @Override
        public Integer call() {
            if (!id.matches("[A-Za-z0-9_-]+")) {
                throw new CommandFailed("'" + id + "' is not the id of a token.");
            }
            server.client().delete("/v1/tokens/" + id).expectSuccess("The token was not revoked");
            spec.commandLine().getOut().println("Revoked " + id);
            return 0;
        }
    }
}
